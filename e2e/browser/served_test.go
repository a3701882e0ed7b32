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

// TestFromThePageToThePlayer: what a person enters, edits or imports in the console a game gets from a real Envoy within two seconds, and no more within
// two seconds of a click on "Roll back"; and no request fails meanwhile.
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
	within := func(member, value string, there bool) {
		t.Helper()
		watch := stack.StartStopwatch()
		require.NoError(t, stack.Poll(ctx, func(ctx context.Context) error {
			bodies, err := thrice(ctx)
			if err == nil && strings.Contains(bodies, `"`+member+`":"`+value+`"`) != there {
				err = fmt.Errorf("served: %s", bodies)
			}
			return err
		}))
		took := watch.Took()
		require.LessOrEqual(t, took, 2*time.Second)
		t.Logf("%s %s served: %t, %s after the page said so", member, value, there, took.Round(time.Millisecond))
	}
	games := play(t, s)
	admin := s.ControlPlane().URL
	require.NoError(t, window.Open(ctx, admin+"/campaigns/new"))
	fill(t, map[string]string{"id": "from the page", "country": "us", "lang": "eng", "video_url": "https://v.example/2"})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign from the page is created. Revision 1")
	within("id", "from the page", true)

	require.NoError(t, window.Open(ctx, admin+"/preview?country=us&lang=eng"))
	shown(t, "main", "from the page")
	require.NoError(t, window.Open(ctx, admin+"/fleet"))
	shown(t, "main", "envoy")
	picture(t, "real-fleet-1280-light")

	require.NoError(t, window.Open(ctx, admin+"/history"))
	shown(t, "main", "Roll back")
	picture(t, "real-history-1280-light")
	click(t, "#versions summary[aria-label^='Roll back']")
	click(t, "#versions details[open] button")
	shown(t, "main", "The version is pinned")
	within("id", "from the page", false)
	require.NoError(t, window.Open(ctx, admin+"/"))
	shown(t, "#notices", "pinned")
	picture(t, "real-dashboard-1280-light")
	click(t, "form[action='/pin/resume'] button")
	within("id", "from the page", true)

	// A campaign that is there already, the source's, is edited.
	const old, edited = "https://v.example/1", "https://v.example/edited"
	within("url", old, true)
	require.NoError(t, window.Open(ctx, admin+"/campaign?id=first"))
	fill(t, map[string]string{"video_url": edited})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign first is saved.")
	within("url", edited, true)
	within("url", old, false)
	require.NoError(t, window.Open(ctx, admin+"/history"))
	click(t, "#versions summary[aria-label^='Roll back']")
	click(t, "#versions details[open] button")
	shown(t, "main", "The version is pinned")
	within("url", old, true)
	within("url", edited, false)
	require.NoError(t, window.Open(ctx, admin+"/"))
	click(t, "form[action='/pin/resume'] button")
	within("url", edited, true)

	document := filepath.Join(t.TempDir(), "ads.json")
	const imported = `{"ads":[{"id":"imported","video_url":"https://v.example/3","country":"us","lang":"eng","start_hour":0,"end_hour":0}]}`
	require.NoError(t, os.WriteFile(document, []byte(imported), 0o600))
	require.NoError(t, window.Open(ctx, admin+"/campaigns/import"))
	require.NoError(t, window.Type(ctx, file, document))
	click(t, look)
	shown(t, "#outcome", "imported added")
	click(t, again)
	shown(t, "main", "The document is imported, as this revision.")
	within("id", "imported", true)
	uncomplaining(t)
	games.unharmed(t)
}
