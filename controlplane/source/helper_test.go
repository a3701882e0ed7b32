package source

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

const document = `{"ads":[]}`

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// serve starts a server for handler and returns its URL.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func newHTTP(t *testing.T, cfg HTTPConfig) *HTTP {
	t.Helper()
	h, err := NewHTTP(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { h.transport.CloseIdleConnections() })
	return h
}

func newFile(t *testing.T, cfg FileConfig) *File {
	t.Helper()
	f, err := NewFile(cfg)
	require.NoError(t, err)
	return f
}

// pollText polls and requires a document.
func pollText(t *testing.T, p poller) string {
	t.Helper()
	snapshot, err := p.Poll(t.Context())
	require.NoError(t, err)
	return string(snapshot.Data)
}

func pollUnchanged(t *testing.T, p poller) {
	t.Helper()
	_, err := p.Poll(t.Context())
	require.ErrorIs(t, err, campaign.ErrNotModified)
}

// pollError polls and requires an error that is not ErrNotModified.
func pollError(t *testing.T, p poller) error {
	t.Helper()
	snapshot, err := p.Poll(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, campaign.ErrNotModified)
	require.Zero(t, snapshot)
	return err
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func tempFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, text)
	return path
}

func send(t *testing.T, w io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
}

// clock is a hand-set clock.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{at: time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)} }
