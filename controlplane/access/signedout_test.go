package access

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFormOfSomebodySignedOut comes back to a browser, to be sent again; all else is told in JSON.
func TestAFormOfSomebodySignedOut(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	typed := url.Values{"name": {`Évening "<script>`}, "days": {"fri", "sat"}}.Encode()
	for name, tc := range map[string]struct {
		path, accept, media, body string
		html                      bool
		has                       []string
		hasNot                    string
	}{
		"a browser's form": {"/campaigns/new?a=b", "text/html,*/*;q=0.8", formType, typed, true, []string{
			`<form method="post" action="/campaigns/new?a=b">`, `name="name" value="Évening &#34;&lt;script&gt;"`, `name="days" value="fri"`, `name="days" value="sat"`,
			"Nothing was done.", `href="/sign-in" target="_blank"`,
		}, "<script"},
		"an address of another site": {"//evil.example/x", "text/html", formType, typed, true, []string{`action="/"`}, "evil"},
		"an upload":                  {"/campaigns/import", "text/html", "multipart/form-data; boundary=x", "--x--", true, []string{"Nothing was done.", `href="/sign-in"`}, "<form"},
		"a form that is too large":   {"/campaign", "text/html", formType, "name=" + strings.Repeat("x", maxHeldForm), true, []string{"Nothing was done."}, "<form"},
		"a script's form":            {"/campaign", "application/json", formType, typed, false, []string{`"unauthorized"`}, "<form"},
		"a tool":                     {"/campaign", "", formType, typed, false, []string{`"unauthorized"`}, "<form"},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t).do(t, request{method: "POST", path: tc.path, body: tc.body, header: map[string]string{"Accept": tc.accept, "Content-Type": tc.media}})
			require.Equal(t, http.StatusUnauthorized, a.status)
			require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
			require.Equal(t, tc.html, a.header.Get("Content-Type") == "text/html; charset=utf-8")
			for _, words := range tc.has {
				require.Contains(t, a.body, words)
			}
			require.NotContains(t, a.body, tc.hasNot)
		})
	}
}
