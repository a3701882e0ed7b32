package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

const (
	viewerToken   = "viewer-0123456789abcdef0123456789abcdef"
	operatorToken = "operator-0123456789abcdef0123456789abcdef"
)

// openAdmin is a control plane whose admin address is reached from everywhere.
type openAdmin struct {
	base, metrics, log string
	roots              *x509.CertPool
}

// client returns a client of its own that follows no redirect. Browsers and our own command line speak HTTP/2.
func (o *openAdmin) client(t *testing.T, h2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: h2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func startOpenAdmin(t *testing.T) *openAdmin {
	t.Helper()
	port := func() *stack.Port {
		p, err := stack.ReservePort()
		require.NoError(t, err)
		t.Cleanup(p.Release)
		return p
	}
	ca := newAuthority(t, "operators")
	cert, key := ca.issue(t, "admin", 2, "ads.internal", "127.0.0.1")
	open, of := port(), port()
	dir := files(t, map[string]string{
		"campaigns.json": goodCampaigns,
		"tokens":         "alice operator " + operatorToken + "\nbob viewer " + viewerToken + "\n",
		"gateway.yaml": goodGateway + fmt.Sprintf("xds: {address: %q}\n", port().Address()) + fmt.Sprintf(
			"admin: {address: \"0.0.0.0:%d\", name: ads.internal, tls: {cert_file: %s, key_file: %s}, tokens_file: tokens, metrics_address: %q}\n",
			open.Number, cert, key, of.Address()),
	})
	require.NoError(t, os.Chmod(filepath.Join(dir, "tokens"), 0o600))
	o := &openAdmin{
		base: fmt.Sprintf("https://127.0.0.1:%d", open.Number), metrics: of.URL(), log: filepath.Join(dir, "log"), roots: x509.NewCertPool(),
	}
	process, err := stack.StartProcess(stack.Command{Name: "adsidecar", Path: programs.Adsidecar, Args: []string{"serve", "-c", "gateway.yaml"}, Dir: dir, LogFile: o.log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, process.Stop(10*time.Second)) })

	text, err := os.ReadFile(ca.caFile)
	require.NoError(t, err)
	require.True(t, o.roots.AppendCertsFromPEM(text))
	client := o.client(t, false)
	require.NoError(t, process.WaitFor(deadline(t, 20*time.Second), "ready", func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		a, err := client.Do(r)
		if err != nil {
			return err
		}
		defer a.Body.Close() //nolint:errcheck // only read
		if a.StatusCode != http.StatusOK {
			return errors.New(a.Status)
		}
		return nil
	}))
	return o
}

// TestAdminBeyondLoopback: nothing but health answers without credentials, a viewer changes nothing, and no secret is in the log.
func TestAdminBeyondLoopback(t *testing.T) {
	o := startOpenAdmin(t)
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) { testOpenAdmin(t, o, o.client(t, h2), name) })
	}
	t.Run("metrics have an address of their own", func(t *testing.T) {
		for path, status := range map[string]int{"/metrics": 200, "/api/v1/status": 404, "/healthz": 404} {
			a, err := stack.Send(deadline(t, 10*time.Second), http.MethodGet, o.metrics+path, nil, nil)
			require.NoError(t, err)
			require.Equal(t, status, a.Status, path)
		}
	})
	text, err := os.ReadFile(o.log)
	require.NoError(t, err)
	require.Contains(t, string(text), `"change refused"`)
	for _, secret := range []string{viewerToken, operatorToken} {
		require.NotContains(t, string(text), secret)
	}
}

// testOpenAdmin asks with a client of this protocol.
func testOpenAdmin(t *testing.T, o *openAdmin, client *http.Client, protocol string) {
	ask := func(t *testing.T, method, path string, header http.Header) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(deadline(t, 10*time.Second), method, o.base+path, http.NoBody)
		require.NoError(t, err)
		for name, values := range header {
			r.Header[name] = values
		}
		r.Host = header.Get("Host")
		a, err := client.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = a.Body.Close() })
		require.Equal(t, protocol, a.Proto)
		return a
	}
	none, viewer := http.Header{}, http.Header{"Authorization": {"Bearer " + viewerToken}}
	operator := http.Header{"Authorization": {"Bearer " + operatorToken}}
	for name, tc := range map[string]struct {
		method, path string
		header       http.Header
		status       int
	}{
		"health":                                {"GET", "/healthz", none, 200},
		"readiness":                             {"GET", "/readyz", none, 200},
		"status without credentials":            {"GET", "/api/v1/status", none, 401},
		"metrics without credentials":           {"GET", "/metrics", none, 401},
		"an unknown path without credentials":   {"GET", "/nothing", none, 401},
		"status with a wrong token":             {"GET", "/api/v1/status", http.Header{"Authorization": {"Bearer " + viewerToken + "0"}}, 401},
		"status of a viewer":                    {"GET", "/api/v1/status", viewer, 200},
		"metrics of a viewer":                   {"GET", "/metrics", viewer, 200},
		"a viewer's write":                      {"POST", "/api/v1/status", viewer, 403},
		"an operator's write where is no write": {"POST", "/api/v1/status", operator, 405},
		"a browser":                             {"GET", "/", http.Header{"Accept": {"text/html"}}, 303},
		"the page to sign in on":                {"GET", "/sign-in", none, 200},
		"our name":                              {"GET", "/healthz", http.Header{"Host": {"ads.internal"}}, 200},
		"a name that was made to lead here":     {"GET", "/healthz", http.Header{"Host": {"evil.example"}}, 421},
		"a write from a page of another origin": {"POST", "/api/v1/session", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.status, ask(t, tc.method, tc.path, tc.header).StatusCode) })
	}
	t.Run("signing in and out", func(t *testing.T) {
		form := url.Values{"token": {viewerToken}, "next": {"/api/v1/status"}}
		r, err := http.NewRequestWithContext(deadline(t, 10*time.Second), http.MethodPost, o.base+"/api/v1/session", strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a, err := client.Do(r)
		require.NoError(t, err)
		defer a.Body.Close() //nolint:errcheck // only read
		require.Equal(t, 303, a.StatusCode)
		require.Equal(t, "/api/v1/status", a.Header.Get("Location"))
		require.Len(t, a.Cookies(), 1)
		c := a.Cookies()[0]
		require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteStrictMode)
		session := http.Header{"Cookie": {c.Name + "=" + c.Value}}
		require.Equal(t, 200, ask(t, "GET", "/api/v1/status", session).StatusCode)
		require.Equal(t, 403, ask(t, "POST", "/api/v1/status", session).StatusCode)
		require.Equal(t, 204, ask(t, "DELETE", "/api/v1/session", session).StatusCode)
		require.Equal(t, 401, ask(t, "GET", "/api/v1/status", session).StatusCode)
	})
}
