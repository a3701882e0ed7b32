package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestClientsThatSendSlowlyKeepNobodyOut has more requests under way with half a body than the user service is given at once.
func TestClientsThatSendSlowlyKeepNobodyOut(t *testing.T) {
	const connections, streams = 12, 100 // a connection has at most 100
	s := usersReady(t, stack.Options{Users: &stack.UsersOptions{}})
	slow, victim := signUp(t, s, "slow"), signUp(t, s, "victim")

	ctx, end := context.WithCancel(context.Background())
	var under sync.WaitGroup
	defer under.Wait()
	defer end()
	for range connections {
		transport := &http.Transport{
			Protocols: new(http.Protocols), DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		}
		transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(transport.CloseIdleConnections)
		for range streams {
			body, half := io.Pipe()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.BaseURL()+"/create", body)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+slow.token)
			under.Go(func() { _, _ = half.Write([]byte(`{"title":`)) }) // and no more
			under.Go(func() {
				resp, err := transport.RoundTrip(req)
				if err == nil {
					_ = resp.Body.Close() // the stack ends them one by one
				}
				_ = half.Close()
			})
		}
	}
	active := func(ctx context.Context, prefix string) (float64, error) {
		stats, err := s.Envoy().Stats(ctx)
		if err != nil {
			return 0, err
		}
		for series, value := range stats {
			if strings.HasPrefix(series, prefix) {
				return value, nil
			}
		}
		return 0, fmt.Errorf("no series %s", prefix)
	}
	eventually(t, 20*time.Second, func(ctx context.Context) error {
		n, err := active(ctx, `envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="public"`)
		if err == nil && n < connections*streams {
			err = fmt.Errorf("%v requests are under way", n)
		}
		return err
	})

	conn := victim.connect(t, 1)[0]
	for i := range 50 {
		_, err := conn.create(profileOf(fmt.Sprintf("v%d", i)), "")
		require.NoError(t, err)
	}
	n, err := active(t.Context(), `envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="public"`)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, float64(connections*streams), "all the while")
	n, err = active(t.Context(), `envoy_cluster_upstream_rq_active{envoy_cluster_name="users-create"}`)
	require.NoError(t, err)
	require.Zero(t, n, "none of them is at the service")
}
