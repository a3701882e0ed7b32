package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
)

// TestPinAndHeldEverywhere: whoever looks at whichever page is told that a version is pinned, that one is held, or both: which, by whom and when.
func TestPinAndHeldEverywhere(t *testing.T) {
	const pinned, served, held = "11d2e3f4a5b6c7d8e9", "3f6c1a9be04d5d22c7", "a81b02c4d7e9ff1023"
	pin := &apiv1.Pin{Version: pinned, Who: "olga", At: noon, Comment: "spring went wrong"}
	const (
		saysPin  = "Pinned. Version 11d2e3f4a5b6 stays published: pinned by olga at 2027-01-04 12:00 UTC, “spring went wrong”."
		saysHeld = "Held. Version a81b02c4d7e9 is not published in the place of 3f6c1a9be04d: it removes more ads than the guard allows."
	)
	type page struct {
		path   string
		form   url.Values // it is the answer to this form
		status int        // 0: 200
	}
	pages := map[string]page{
		"the dashboard":           {path: "/"},
		"the campaigns":           {path: "/campaigns"},
		"no campaign that is so":  {path: "/campaigns?q=nothing"},
		"one campaign":            {path: "/campaign?id=evening"},
		"a source's campaign":     {path: "/campaign?id=always"},
		"a new campaign":          {path: "/campaigns/new"},
		"the import":              {path: "/campaigns/import"},
		"the coverage":            {path: "/coverage"},
		"the coverage of a key":   {path: "/coverage?country=us"},
		"the preview":             {path: "/preview"},
		"the preview of a key":    {path: "/preview?country=us&lang=eng"},
		"the history":             {path: "/history"},
		"the actions":             {path: "/actions"},
		"one revision":            {path: "/revisions/41"},
		"two revisions":           {path: "/revisions/diff?from=38&to=41"},
		"one version":             {path: "/versions/" + served},
		"two versions":            {path: "/versions/diff?from=" + pinned + "&to=" + served},
		"the fleet":               {path: "/fleet"},
		"a page that is not":      {path: "/nothing", status: http.StatusNotFound},
		"a campaign that is not":  {path: "/campaign?id=nobody", status: http.StatusNotFound},
		"a key that is none":      {path: "/preview?country=usa&lang=eng", status: http.StatusBadRequest},
		"a campaign that's wrong": {path: "/campaigns/new", form: url.Values{"id": {"x"}, "country": {"u1"}}, status: http.StatusUnprocessableEntity},
	}
	requireAllPages(t, func(visit func(path string)) {
		for _, p := range pages {
			visit(p.path)
		}
	})
	for state, tc := range map[string]struct {
		pin   *apiv1.Pin
		held  bool
		says  []string
		named map[string]bool // whole versions
	}{
		"pinned":          {pin, false, []string{saysPin, "Nothing newer waits."}, map[string]bool{pinned: true, held: false}},
		"held":            {nil, true, []string{saysHeld}, map[string]bool{held: true}},
		"pinned and held": {pin, true, []string{saysPin, saysHeld}, map[string]bool{pinned: true, held: true}},
	} {
		for _, token := range []string{operatorToken, viewerToken} {
			api := fakeapi.Sample(noon)
			api.Pin = tc.pin
			if !tc.held {
				api.Held = nil
			}
			b := as(t, api, token)
			for name, p := range pages {
				if p.form != nil && token == viewerToken {
					continue // who gets no form sends none
				}
				t.Run(state+" on "+name+" for "+strings.Split(token, "-")[0], func(t *testing.T) {
					method := http.MethodGet
					if p.form != nil {
						method = http.MethodPost
					}
					status, body, _ := b.send(t, method, p.path, p.form)
					require.Equal(t, max(p.status, http.StatusOK), status)
					notices := notices(t, body)
					text := strings.Join(strings.Fields(textOf(notices)), " ")
					for _, words := range tc.says {
						require.Contains(t, text, words)
					}
					for version, there := range tc.named {
						require.Equal(t, there, titled(notices, version), "the whole version %s", version)
					}
				})
			}
		}
	}
	t.Run("for nobody who is not signed in", func(t *testing.T) {
		api := fakeapi.Sample(noon)
		api.Pin = pin
		b := as(t, api, "")
		for name, p := range pages {
			_, body, _ := b.send(t, http.MethodGet, p.path, nil)
			require.NotContains(t, body, "11d2e3f4a5b6", name)
			require.NotContains(t, body, "a81b02c4d7e9", name)
		}
	})
}

// requireAllPages requires that the paths that are visited are of every page that the console has.
func requireAllPages(t *testing.T, paths func(visit func(path string))) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	mux, visited := http.NewServeMux(), map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`(?m)^\s+"(GET /[^"]*)":`).FindAllStringSubmatch(string(text), -1) {
			mux.Handle(found[1], http.NotFoundHandler())
			visited[found[1]] = false
		}
	}
	require.GreaterOrEqual(t, len(visited), 13, "the table of pages")
	paths(func(path string) {
		if _, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, path, nil)); pattern != "" {
			visited[pattern] = true
		}
	})
	for pattern, is := range visited {
		require.True(t, is, "no path is of %s", pattern)
	}
}

// notices is the part of a page with what is pinned and held.
func notices(t *testing.T, page string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		if attribute(n, "id") == "notices" {
			return n
		}
	}
	t.Fatal("the page has no notices")
	return nil
}

// titled reports whether something in n has this title.
func titled(n *html.Node, title string) bool {
	for d := range n.Descendants() {
		if attribute(d, "title") == title {
			return true
		}
	}
	return false
}
