package browser_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/admin"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/console"
	"adsidecar/controlplane/console/fakeapi"
	"adsidecar/e2e/browser"
)

// requireEnv set to anything makes it an error that there is no browser. CI sets it.
const requireEnv = "ADSIDECAR_REQUIRE_BROWSER"

// window is the one browser of these tests: it starts slowly.
var window *browser.Browser

// TestMain runs nothing where there is no browser, and says so: these tests prove nothing then, and do not look as if they did.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	programs, err := browser.Find()
	if err != nil {
		fmt.Fprintln(os.Stderr, "The tests in a browser did not run:", err)
		if os.Getenv(requireEnv) != "" {
			return 1
		}
		return 0
	}
	ctx := context.Background()
	if window, err = browser.Start(ctx, programs); err != nil {
		fmt.Fprintln(os.Stderr, "start a browser:", err)
		return 1
	}
	code := m.Run()
	if err := window.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "end the browser:", err)
		return 1
	}
	return code
}

// site is the admin address as it is put together, on a fake API.
func site(t *testing.T, api http.Handler, tokens string) string {
	t.Helper()
	config := access.Config{Address: "127.0.0.1:80"}
	if tokens != "" {
		config.TokensFile = filepath.Join(t.TempDir(), "tokens")
		require.NoError(t, os.WriteFile(config.TokensFile, []byte(tokens), 0o600))
	}
	guard, err := access.New(config)
	require.NoError(t, err)
	pages, err := console.Handler(console.Config{API: api})
	require.NoError(t, err)
	public := admin.Public(admin.Config{Ready: func() error { return nil }, Gatherer: prometheus.NewRegistry(), Logger: zap.NewNop()})
	public.Handle("GET "+console.AssetsPath, console.Assets())
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", api)
	mux.Handle("/", pages)
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(guard.Handler(public, mux))
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx } // so that streams of events end
	server.Start()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	t.Cleanup(func() {
		require.NoError(t, window.Scripts(context.Background(), true))
		require.NoError(t, window.Open(context.Background(), "about:blank"))
	})
	_, err = window.Complaints(t.Context()) // of tests before
	require.NoError(t, err)
	require.NoError(t, window.Look(t.Context(), 1280, false))
	return server.URL
}

// shown waits until what a selector selects shows words.
func shown(t *testing.T, selector, words string) {
	t.Helper()
	var text string
	require.Eventually(t, func() bool {
		var err error
		text, err = window.Text(t.Context(), selector)
		return err == nil && strings.Contains(text, words)
	}, patience, 20*time.Millisecond, "%s does not show %q", selector, words)
}

func click(t *testing.T, selector string) {
	t.Helper()
	require.NoError(t, window.Click(t.Context(), selector))
}

func fill(t *testing.T, fields map[string]string) {
	t.Helper()
	for name, text := range fields {
		require.NoError(t, window.Type(t.Context(), "form.edit [name="+name+"]", text))
	}
}

func uncomplaining(t *testing.T) {
	t.Helper()
	complaints, err := window.Complaints(t.Context())
	require.NoError(t, err)
	require.Empty(t, complaints)
}

// picture keeps what the window shows among the output of the tests.
func picture(t *testing.T, name string) {
	t.Helper()
	folder := filepath.Join("..", "..", ".run", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o750))
	png, err := window.Picture(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600))
}

// TestEveryPage takes a picture of every page in each look, into .run/screenshots, and requires that nothing is wider than the window,
// and that the content policy has nothing to forbid.
func TestEveryPage(t *testing.T) {
	now := time.Now().UTC()
	full, pinned := fakeapi.Sample(now), fakeapi.Sample(now)
	pinned.Held, pinned.Pin = nil, &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: now, Comment: "spring went wrong", Waiting: "a81b02c4d7e9ff1023"}
	ahead := fakeapi.Sample(now)
	ahead.Basis.Ahead, ahead.Held.Refused, ahead.Held.RefusedBy, ahead.Held.Comment, ahead.Held.DecidedAt = true, true, "olga", "ask sales first", now
	ahead.Strand(44, 41, "index: 65 MiB are more than the 64 MiB of campaigns.max_index_mib")
	behind := fakeapi.Sample(now)
	behind.Behind, behind.Held, behind.Basis.Ahead = true, nil, true
	behind.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: now, Waiting: "a81b02c4d7e9ff1023", Error: "it cannot be read: its checksum is wrong"}
	behind.Explanation.Waiting = append(behind.Explanation.Waiting[:1:1], compile.Waiting{Ad: compile.Ad{ID: "house"}, Reason: compile.ReasonOutOfHours})
	broken := fakeapi.Empty()
	broken.Broken = true
	sites := map[string]string{
		"": site(t, full, ""), "pinned": site(t, pinned, ""), "empty": site(t, fakeapi.Empty(), ""), "broken": site(t, broken, ""), "ahead": site(t, ahead, ""), "behind": site(t, behind, ""),
		"closed": site(t, full, "olga operator operator-token-0123456789abcdef-01234567\n"),
	}
	for name, page := range map[string]struct{ site, path string }{
		"dashboard": {"", "/"}, "campaigns": {"", "/campaigns"}, "new": {"", "/campaigns/new"}, "campaign": {"", "/campaign?id=evening"},
		"script": {"", "/campaign?id=house"}, "coverage": {"", "/coverage"}, "preview": {"", "/preview?country=us&lang=eng"},
		"import": {"pinned", "/campaigns/import"}, "ahead-dashboard": {"ahead", "/"}, "ahead-preview": {"ahead", "/preview?country=us&lang=eng"},
		"ahead-campaign": {"ahead", "/campaign?id=evening"}, "history": {"pinned", "/history"}, "actions": {"", "/actions"}, "revision": {"", "/revisions/41"}, "versiondiff": {"", "/versions/diff?from=a&to=b"},
		"revisionsdiff": {"", "/revisions/diff?from=38&to=41"}, "everybody": {"behind", "/campaign?id=house"}, "behind-history": {"behind", "/history"}, "behind-preview": {"behind", "/preview?country=us&lang=eng"}, "fleet": {"pinned", "/fleet"},
		"empty-dashboard": {"empty", "/"}, "empty-campaigns": {"empty", "/campaigns"}, "error": {"broken", "/"}, "sign-in": {"closed", "/sign-in?error=sign_in_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, width := range []int{1280, 360} {
				for _, dark := range []bool{false, true} {
					require.NoError(t, window.Look(t.Context(), width, dark))
					require.NoError(t, window.Open(t.Context(), sites[page.site]+page.path))
					var wide int
					require.NoError(t, window.Run(t.Context(), "return document.scrollingElement.scrollWidth", &wide))
					require.LessOrEqual(t, wide, width, "the page is wider than the window")
					var cut []string
					require.NoError(t, window.Run(t.Context(), `return Array.from(document.querySelectorAll("header a, header button, header span")).filter((e) => {
						const r = e.getBoundingClientRect();
						return r.width > 0 && e.className !== "skip" && (r.left < 0 || r.right > window.innerWidth || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && e.tagName === "A");
					}).map((e) => e.textContent)`, &cut))
					require.Empty(t, cut, "the menu is cut")
					var scrolls bool
					require.NoError(t, window.Run(t.Context(), `const n = document.querySelector(".top nav"); return n !== null && n.scrollWidth > n.clientWidth`, &scrolls))
					require.False(t, scrolls, "the menu is cut")
					picture(t, fmt.Sprintf("%s-%d-%s", name, width, map[bool]string{false: "light", true: "dark"}[dark]))
					complaints, err := window.Complaints(t.Context())
					require.NoError(t, err)
					if page.site != "broken" { // where the 503 is one
						require.Empty(t, complaints)
					}
				}
			}
		})
	}
}

// TestAPageFollowsTheServedState without being loaded again, and leaves alone where somebody is.
func TestAPageFollowsTheServedState(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	require.NoError(t, window.Open(t.Context(), address+"/"))
	require.NoError(t, window.Run(t.Context(), "window.loadedOnce = true", nil))
	shown(t, "#live", "Live")
	require.Eventually(t, func() bool { return api.Listeners() == 1 }, patience, 10*time.Millisecond)
	api.Do(func(a *fakeapi.API) {
		a.Fleet.InSync, a.Held = 7, nil
		a.Pin = &apiv1.Pin{Version: "11d2e3f4a5b6c7d8e9", Who: "olga", At: time.Now()}
	})
	shown(t, "#dashboard", "7 in sync")
	shown(t, "#notices", "pinned by olga")
	var once bool
	require.NoError(t, window.Run(t.Context(), "return window.loadedOnce === true", &once))
	require.True(t, once, "the page was loaded again")
	uncomplaining(t)
}

func TestErrorsAsOneTypes(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	require.NoError(t, window.Open(t.Context(), address+"/campaigns/new"))
	fill(t, map[string]string{"id": "made here"})
	fill(t, map[string]string{"country": "u1"})
	fill(t, map[string]string{"start_hour": "24"})
	fill(t, map[string]string{"start_at": "2027-03-02T08:00:00Z"})
	fill(t, map[string]string{"end_at": "2027-03-01T08:00:00Z"})
	click(t, "form.edit button.primary")
	shown(t, "#e-country", "Use two letters")
	shown(t, "#e-start_hour", "From 0 to 23.")
	shown(t, "#e-end_at", "must end after it begins")
	shown(t, "#e-video_url", "This is needed.")
	require.Empty(t, api.Writes(), "what is known to be wrong is not sent")

	fill(t, map[string]string{"country": "us"})
	var text string
	require.NoError(t, window.Run(t.Context(), `return document.getElementById("e-country").textContent`, &text))
	require.Empty(t, text, "the error goes as soon as it is mended")
	fill(t, map[string]string{"lang": "eng", "video_url": "https://v.example/1", "start_hour": "8", "end_at": "2027-03-03T08:00:00Z"})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign is created.")
	shown(t, "h1", "made here")
	require.Len(t, api.Writes(), 1)
	uncomplaining(t)
}

// TestTwoPeopleEdit: the second sees both versions, and what was typed is still there.
func TestTwoPeopleEdit(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	require.NoError(t, window.Open(t.Context(), address+"/campaign?id=evening"))
	api.Do(func(a *fakeapi.API) {
		a.Campaigns[1].ETag = `"theirs"`
		a.Campaigns[1].Campaign = []byte(strings.Replace(string(a.Campaigns[1].Campaign), `"end_hour":2`, `"end_hour":1`, 1))
	})
	fill(t, map[string]string{"name": "Evening, mine"})
	click(t, "form.edit button.primary")
	shown(t, "main [role=alert]", "Somebody else changed this campaign")
	shown(t, "main [role=alert]", "Until hour 2 1")
	var name string
	require.NoError(t, window.Run(t.Context(), `return document.querySelector("form.edit [name=name]").value`, &name))
	require.Equal(t, "Evening, mine", name)
	for _, width := range []int{1280, 360} {
		require.NoError(t, window.Look(t.Context(), width, false))
		picture(t, fmt.Sprintf("conflict-%d-light", width))
	}
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign is saved.")
}

// TestWithoutAScript: everything can be read and done.
func TestWithoutAScript(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	address := site(t, api, "")
	require.NoError(t, window.Scripts(t.Context(), false))
	require.NoError(t, window.Open(t.Context(), address+"/campaigns/new"))
	fill(t, map[string]string{"id": "plain", "country": "us", "lang": "eng", "video_url": "https://v.example/1", "time_zone": "Mars/Olympus"})
	click(t, "form.edit button.primary")
	shown(t, "#e-time_zone", "Time zone")
	fill(t, map[string]string{"time_zone": "Europe/Berlin"})
	click(t, "form.edit button.primary")
	shown(t, "main", "The campaign is created.")
	click(t, "form[action='/campaign/pause'] button")
	shown(t, "main", "The campaign is paused.")
	require.NoError(t, window.Open(t.Context(), address+"/history"))
	click(t, "#versions summary")
	click(t, "#versions details[open] button")
	shown(t, "main", "The version is pinned")
	require.NoError(t, window.Open(t.Context(), address+"/campaign?id=plain"))
	click(t, "#delete summary")
	click(t, "form[action='/campaign/delete'] button")
	shown(t, "main", "The campaign is deleted.")
}

// TestKeyboard: the first Tab shows the way past the navigation; what has the focus can be seen; and a campaign is found by keys alone.
func TestKeyboard(t *testing.T) {
	address := site(t, fakeapi.Sample(time.Now()), "")
	require.NoError(t, window.Open(t.Context(), address+"/campaigns"))
	focused := func() (text string) {
		require.NoError(t, window.Run(t.Context(), "return document.activeElement.textContent", &text))
		return strings.TrimSpace(text)
	}
	require.NoError(t, window.Press(t.Context(), browser.Tab))
	require.Equal(t, "Skip to the content", focused())
	for range 30 {
		require.NoError(t, window.Press(t.Context(), browser.Tab))
		var style string
		require.NoError(t, window.Run(t.Context(), `const s = getComputedStyle(document.activeElement); return s.outlineStyle + " " + s.outlineWidth`, &style))
		require.Equal(t, "solid 3px", style, "the focus on %q cannot be seen", focused())
		if focused() == "evening" {
			break
		}
	}
	require.Equal(t, "evening", focused())
	require.NoError(t, window.Press(t.Context(), browser.Enter))
	shown(t, "h1", "evening")
}

// TestAScriptInANameIsText, and runs on no page.
func TestAScriptInANameIsText(t *testing.T) {
	address := site(t, fakeapi.Sample(time.Now()), "")
	for _, path := range []string{"/", "/campaigns", "/campaign?id=house"} {
		require.NoError(t, window.Open(t.Context(), address+path))
		var scripts int
		require.NoError(t, window.Run(t.Context(), `return document.scripts.length + document.images.length`, &scripts))
		require.Equal(t, 1, scripts, "ours alone")
	}
	require.NoError(t, window.Open(t.Context(), address+"/campaigns"))
	shown(t, "main", `<script>alert("name")</script>`)
	uncomplaining(t)
}

func TestSignInAndOut(t *testing.T) {
	const token = "operator-token-0123456789abcdef-01234567"
	address := site(t, fakeapi.Sample(time.Now()), "olga operator "+token+"\n")
	require.NoError(t, window.Open(t.Context(), address+"/history"))
	shown(t, "h1", "Sign in")
	require.NoError(t, window.Type(t.Context(), "[name=token]", "wrong"))
	click(t, "form:last-of-type button")
	shown(t, "[role=alert]", "That is not right")
	require.NoError(t, window.Type(t.Context(), "[name=token]", token))
	click(t, "form:last-of-type button")
	shown(t, "h1", "History")
	shown(t, ".who", "olga")
	click(t, ".who button")
	shown(t, "h1", "Sign in")
	require.NoError(t, window.Open(t.Context(), address+"/history"))
	shown(t, "h1", "Sign in")
}
