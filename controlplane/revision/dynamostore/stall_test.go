package dynamostore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/controlplane/revision"
	"adsidecar/internal/awsclient"
)

// TestAnAnswerThatDoesNotEnd: headers came, the rest does not. No timeout of the HTTP client is for that: documents of any size come by it.
func TestAnAnswerThatDoesNotEnd(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"Responses"`)) // the client may be gone
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	c, err := awsclient.Load(t.Context(), "eu-west-1", server.URL, zap.NewNop())
	require.NoError(t, err)
	s, err := revision.New(revision.Config{Store: New(c, "table")})
	require.NoError(t, err)
	followed := make(chan error, 1)
	go func() { followed <- s.Follow(context.Background()) }()
	select {
	case err := <-followed:
		require.ErrorIs(t, err, revision.ErrUnavailable)
		require.ErrorIs(t, s.Following().Err, err)
	case <-time.After(time.Minute):
		require.FailNow(t, "it waits for ever")
	}
}
