package source

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHTTPSwitchingProtocolsIsAnError: a 101 answer's body is the connection, and reading it would never end.
func TestHTTPSwitchingProtocolsIsAnError(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"))
		<-release
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	h, err := NewHTTP(HTTPConfig{URL: server.URL, Timeout: 2 * patience})
	require.NoError(t, err)
	polled := make(chan error, 1)
	go func() {
		_, err := h.Poll(t.Context())
		polled <- err
	}()
	select {
	case err := <-polled:
		require.ErrorContains(t, err, "status 101")
	case <-time.After(patience):
		require.Fail(t, "the poll hangs")
	}
}

// TestHTTPSecretFromAPipeDoesNotHang: opening a pipe waits for a writer.
func TestHTTPSecretFromAPipeDoesNotHang(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	h, err := NewHTTP(HTTPConfig{URL: "http://127.0.0.1:1/", HeaderName: "x-key", HeaderFile: pipe})
	require.NoError(t, err)
	_, err = h.Poll(t.Context())
	require.ErrorContains(t, err, "not a regular file")
}
