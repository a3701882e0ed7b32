package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/access"
)

// TestNobodyTakesAllStreams over HTTP: a viewer opens what it can, and an operator's page is live all the same.
func TestNobodyTakesAllStreams(t *testing.T) {
	h := start(t, nil)
	handler, err := Handler(Config{History: h.history, Publisher: h.publisher, Fleet: h.fleet})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte("vera viewer "+vera+"\nalice operator "+alice+"\n"), 0o600))
	guard, err := access.New(access.Config{Address: "127.0.0.1:1", TokensFile: path})
	require.NoError(t, err)
	server := httptest.NewServer(guard.Handler(http.NewServeMux(), handler))
	t.Cleanup(server.Close)
	ask := func(token string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := server.Client().Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	for range maxStreamsEach {
		require.Equal(t, http.StatusOK, ask(vera).StatusCode)
	}
	refused := ask(vera)
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	body := make([]byte, 512)
	n, _ := refused.Body.Read(body)
	require.Contains(t, string(body[:n]), "You have 16 streams of events")
	require.Equal(t, http.StatusOK, ask(alice).StatusCode)
}

func TestStreamsAreBounded(t *testing.T) {
	viewer, operator := access.Identity{Name: "vera", Via: access.ViaToken, Role: access.Viewer}, access.Identity{Name: "olaf", Via: access.ViaToken}
	promoted := viewer
	promoted.Role = access.Operator
	namesake := viewer
	namesake.Via = access.ViaCognito
	local := access.Identity{Name: "local", Via: access.ViaLoopback}

	s := newStreams(64)
	take := func(id access.Identity) (leave []func(), err error) {
		for {
			l, err := s.enter(id)
			if err != nil {
				return leave, err
			}
			leave = append(leave, l)
		}
	}
	mine, err := take(viewer)
	require.Len(t, mine, maxStreamsEach)
	require.Equal(t, errStreamsEach, err)
	_, err = s.enter(promoted)
	require.Equal(t, errStreamsEach, err, "whoever has two roles is one")
	other, err := take(namesake)
	require.Len(t, other, maxStreamsEach, "whoever is known in another way is another")
	require.Equal(t, errStreamsEach, err)
	mine[0]()
	again, err := take(viewer)
	require.Len(t, again, 1, "one that has ended makes room for one")
	require.Equal(t, errStreamsEach, err)
	theirs, _ := take(operator)
	all, err := take(local)
	require.Len(t, all, 64-3*maxStreamsEach)
	require.Equal(t, errStreams, err)
	_, err = s.enter(access.Identity{Name: "nina", Via: access.ViaToken})
	require.Equal(t, errStreams, err)

	for _, leave := range append(append(append(append(mine[1:], other...), again...), theirs...), all...) {
		leave()
	}
	require.Empty(t, s.of, "nobody is remembered")
	alone, err := take(local)
	require.Len(t, alone, 64, "without credentials one has all")
	require.Equal(t, errStreams, err)
}

func TestStreamsAtOnce(t *testing.T) {
	s := newStreams(64)
	var wg sync.WaitGroup
	for i := range 8 {
		id := access.Identity{Name: fmt.Sprint(i % 2), Via: access.ViaToken}
		wg.Go(func() {
			for range 1000 {
				if leave, err := s.enter(id); err == nil {
					leave()
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, s.all)
	require.Empty(t, s.of)
}
