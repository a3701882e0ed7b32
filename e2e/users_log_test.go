package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// well: the process is the one that was started, and no request was answered by a failure of ours, here or at Envoy.
func (u *userService) well(t *testing.T) {
	p := u.Users().Process()
	require.True(t, p.Running())
	require.Equal(t, u.pid, p.PID())
	metrics, err := u.Users().Metrics(deadline(t, 10*time.Second))
	require.NoError(t, err)
	requests := 0
	for name := range metrics {
		if strings.HasPrefix(name, "adsidecar_users_requests_total{") {
			requests++
			require.NotContains(t, name, `code="5`)
		}
	}
	require.NotZero(t, requests)
	stats, err := u.Envoy().Stats(deadline(t, 10*time.Second))
	require.NoError(t, err)
	answered := 0
	for name, value := range stats {
		if strings.HasPrefix(name, "envoy_http_downstream_rq_xx{") && strings.Contains(name, `"public"`) || strings.Contains(name, `cluster_name="users-`) {
			if strings.Contains(name, `code_class="5"`) {
				require.Zero(t, value, name)
			}
			if strings.Contains(name, `code_class="2"`) && value > 0 {
				answered++
			}
		}
	}
	require.GreaterOrEqual(t, answered, 4, "it counts")
}

// logged ends Envoy, the control plane and the service, and searches what they have written.
func (u *userService) logged(t *testing.T) {
	u.use("leichhdart", "047777777", "Norton Street", marked)
	lines, texts := endAndRead(t, u.Stack)
	require.Greater(t, len(lines), 1000, "the requests are in the access log")
	require.NoError(t, u.Users().Stop())
	text, err := os.ReadFile(u.Users().LogFile)
	require.NoError(t, err)
	require.Contains(t, string(text), "user service starts")
	texts["the user service"] = string(text)
	var leaks []string
	for name, text := range texts {
		for _, secret := range u.secrets {
			needles := []string{secret}
			if parts := strings.Split(secret, "."); len(parts) == 3 && len(parts[2]) > 24 { // a token
				needles = append(needles, parts[1], parts[2][:24])
			}
			for _, needle := range needles {
				if at := strings.Index(text, needle); at >= 0 {
					leaks = append(leaks, name+": "+text[strings.LastIndexByte(text[:at], '\n')+1:at+len(needle)])
				}
			}
		}
	}
	require.Empty(t, leaks)
}
