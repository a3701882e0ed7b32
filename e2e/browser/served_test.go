package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestFromThePageToThePlayer: what a person enters or imports in the console a game gets from a real Envoy within two seconds, and no more within two
// seconds of a click on "Roll back".
func TestFromThePageToThePlayer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	tools, err := stack.FindTools(ctx, stack.ToolsConfig{Progress: os.Stderr})
	require.NoError(t, err)
	programs, err := stack.Build(ctx, tools.Root)
	require.NoError(t, err)
	s, err := stack.Start(ctx, stack.Options{
		Tools: tools, Programs: programs, Concurrency: 1,
		Campaigns: []byte(`{"ads":[{"id":"first","video_url":"https://v.example/1","country":"us","lang":"eng","start_hour":0,"end_hour":0}]}`),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.WaitServed(ctx))
	t.Cleanup(func() { require.NoError(t, window.Open(context.Background(), "about:blank")) })
	_, err = window.Complaints(ctx)
	require.NoError(t, err)
	require.NoError(t, window.Look(ctx, 1280, false))

	// thrice asks for three turns: with three ads each is one of them.
	thrice := func(ctx context.Context) (string, error) {
		var bodies string
		for range 3 {
			a, err := s.Envoy().Do(ctx, http.MethodGet, stack.AdPath("us", "eng"), "Bearer "+s.Token(), nil)
			if err != nil {
				return "", err
			}
			bodies += string(a.Body)
		}
		return bodies, nil
	}
	within := func(id string, there bool) {
		t.Helper()
		began := time.Now()
		limit, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		require.NoError(t, stack.Poll(limit, func(ctx context.Context) error {
			bodies, err := thrice(ctx)
			if err == nil && strings.Contains(bodies, `"id":"`+id+`"`) != there {
				err = fmt.Errorf("served: %s", bodies)
			}
			return err
		}))
		t.Logf("%s served: %t, %s after the page said so", id, there, time.Since(began).Round(time.Millisecond))
	}
	admin := s.ControlPlane().URL
	require.NoError(t, window.Open(ctx, admin+"/campaigns/new"))
	fill(t, map[string]string{"id": "from the page", "country": "us", "lang": "eng", "video_url": "https://v.example/2"})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign is created.")
	within("from the page", true)

	require.NoError(t, window.Open(ctx, admin+"/preview?country=us&lang=eng"))
	shown(t, "main", "from the page")
	require.NoError(t, window.Open(ctx, admin+"/fleet"))
	shown(t, "main", "envoy")
	picture(t, "real-fleet-1280-light")

	require.NoError(t, window.Open(ctx, admin+"/history"))
	shown(t, "main", "Roll back")
	picture(t, "real-history-1280-light")
	click(t, "form[action='/versions/rollback'] button[aria-label^='Roll back']")
	shown(t, "main", "Rolled back.")
	within("from the page", false)
	require.NoError(t, window.Open(ctx, admin+"/"))
	shown(t, "#notices", "pinned")
	picture(t, "real-dashboard-1280-light")
	click(t, "form[action='/pin/resume'] button")
	within("from the page", true)

	document := filepath.Join(t.TempDir(), "ads.json")
	const imported = `{"ads":[{"id":"imported","video_url":"https://v.example/3","country":"us","lang":"eng","start_hour":0,"end_hour":0}]}`
	require.NoError(t, os.WriteFile(document, []byte(imported), 0o600))
	require.NoError(t, window.Open(ctx, admin+"/campaigns/import"))
	require.NoError(t, window.Type(ctx, file, document))
	click(t, look)
	shown(t, "#outcome", "imported added")
	click(t, again)
	shown(t, "main", "The document is imported, as this revision.")
	within("imported", true)
	uncomplaining(t)
}
