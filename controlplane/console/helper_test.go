package console

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
	"golang.org/x/net/html"

	"adsidecar/controlplane/access"
)

// browser asks the console behind a real guard, and looks at every page that it gets: see checkPage.
type browser struct {
	server *httptest.Server
	token  string // empty: without credentials, as an operator of this machine
}

const (
	viewerToken   = "viewer-token-0123456789abcdef-0123456789"
	operatorToken = "operator-token-0123456789abcdef-01234567"
)

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

var noon = time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, api http.Handler) *browser {
	t.Helper()
	return serve(t, api, access.Config{Address: "127.0.0.1:80"})
}

// as is a browser that sends a token.
func as(t *testing.T, api http.Handler, token string) *browser {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(file, []byte("vera viewer "+viewerToken+"\nolga operator "+operatorToken+"\n"), 0o600))
	b := serve(t, api, access.Config{Address: "127.0.0.1:80", TokensFile: file})
	b.token = token
	return b
}

func serve(t *testing.T, api http.Handler, c access.Config) *browser {
	t.Helper()
	handler, err := Handler(Config{API: api, Logger: zaptest.NewLogger(t), Now: func() time.Time { return noon }})
	require.NoError(t, err)
	guard, err := access.New(c)
	require.NoError(t, err)
	public := http.NewServeMux()
	public.Handle("GET "+AssetsPath, Assets())
	server := httptest.NewServer(guard.Handler(public, handler))
	t.Cleanup(server.Close)
	return &browser{server: server}
}

// get returns the status and the page.
func (b *browser) get(t *testing.T, path string) (int, string) {
	t.Helper()
	status, body, _ := b.send(t, http.MethodGet, path, nil)
	return status, body
}

// post returns where a form leads to, and the page if it leads to none.
func (b *browser) post(t *testing.T, path string, form url.Values) (int, string, string) {
	t.Helper()
	status, body, header := b.send(t, http.MethodPost, path, form)
	return status, body, header.Get("Location")
}

func (b *browser) send(t *testing.T, method, path string, form url.Values) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && len(body) > 0 && answer.StatusCode != http.StatusSeeOther {
		require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
		checkPage(t, string(body))
	}
	return answer.StatusCode, string(body), answer.Header
}

// void are the elements without an end tag.
var void = map[string]bool{"meta": true, "link": true, "input": true, "br": true, "path": false, "rect": false}

// checkPage requires well-formed HTML that runs under `default-src 'self'`, with forms that change nothing but by POST, one main heading,
// labelled fields, and unique ids.
func checkPage(t *testing.T, page string) {
	t.Helper()
	require.True(t, strings.HasPrefix(page, "<!doctype html>"))
	require.NotContains(t, page, "ZgotmplZ", "a template put a value where it cannot stand")
	requireBalanced(t, page)
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	ids, labelled, headings := map[string]bool{}, map[string]bool{}, 0
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "label" {
			labelled[attribute(n, "for")] = true
		}
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), "<%s %s> has an event handler", n.Data, a.Key)
			require.NotEqual(t, "style", a.Key, "<%s> has a style", n.Data)
			require.False(t, strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:"), "<%s %s> is a script", n.Data, a.Key)
		}
		if id := attribute(n, "id"); id != "" {
			require.False(t, ids[id], "two elements have the id %s", id)
			ids[id] = true
		}
		switch n.Data {
		case "style":
			t.Fatal("the page has an inline style")
		case "script":
			require.Nil(t, n.FirstChild, "the page has an inline script")
			require.Equal(t, "/assets/console.js", attribute(n, "src"))
		case "h1":
			headings++
		case "a":
			if attribute(n, "target") != "" || strings.Contains(attribute(n, "href"), "://") {
				require.Equal(t, "noopener noreferrer", attribute(n, "rel"), "a link that leads away")
			}
		case "form":
			if method := attribute(n, "method"); method != "get" {
				require.Equal(t, "post", method)
				require.True(t, strings.HasPrefix(attribute(n, "action"), "/"))
			}
		case "input", "select", "textarea":
			if attribute(n, "type") != "hidden" {
				require.True(t, labelled[attribute(n, "id")] && attribute(n, "id") != "" || within(n, "label"), "field %s has no label", attribute(n, "name"))
			}
		case "button", "summary":
			require.NotEmpty(t, strings.TrimSpace(textOf(n)))
		}
	}
	require.Equal(t, 1, headings, "main headings")
}

// requireBalanced requires that each element is closed where it should be, which a parser repairs without a word.
func requireBalanced(t *testing.T, page string) {
	t.Helper()
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := tokens.Next(); kind {
		case html.ErrorToken:
			require.ErrorIs(t, tokens.Err(), io.EOF)
			require.Empty(t, open, "elements without an end")
			return
		case html.StartTagToken:
			if name := tokens.Token().Data; !void[name] {
				open = append(open, name)
			}
		case html.EndTagToken:
			name := tokens.Token().Data
			require.NotEmpty(t, open, "</%s> closes nothing", name)
			require.Equal(t, open[len(open)-1], name, "closed in the wrong order")
			open = open[:len(open)-1]
		default:
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func within(n *html.Node, name string) bool {
	for parent := range n.Ancestors() {
		if parent.Data == name {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text.WriteString(d.Data)
		}
	}
	return text.String()
}

// visible is the text of a page, with single spaces.
func visible(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		if n.Data == "main" {
			return strings.Join(strings.Fields(textOf(n)), " ")
		}
	}
	t.Fatal("the page has no main part")
	return ""
}

// value is what a field of the page's last form with that field has.
func value(t *testing.T, page, name string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	var found *html.Node
	for n := range root.Descendants() {
		if attribute(n, "name") == name && within(n, "form") {
			found = n
		}
	}
	require.NotNil(t, found, "the page has no field %s", name)
	if found.Data == "textarea" {
		return textOf(found)
	}
	return attribute(found, "value")
}

// formValues are what a browser would send of the page's form of a campaign.
func formValues(t *testing.T, page string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	values := url.Values{}
	for form := range root.Descendants() {
		if attribute(form, "class") != "edit" {
			continue
		}
		for n := range form.Descendants() {
			name := attribute(n, "name")
			switch checked := slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "checked" }); {
			case name == "", attribute(n, "type") == "checkbox" && !checked:
			case n.Data == "textarea":
				values.Add(name, textOf(n))
			default:
				values.Add(name, attribute(n, "value"))
			}
		}
	}
	require.NotEmpty(t, values, "the page has no form of a campaign")
	return values
}

// laid is a form with other values in some fields.
func laid(form, other url.Values) url.Values {
	form = maps.Clone(form)
	maps.Copy(form, other)
	return form
}
