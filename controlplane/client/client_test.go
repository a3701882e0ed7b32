package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

const secret = "s3cr3t-t0ken"

// newClient asks a server that answers with h. It does not wait between attempts, and tells what it would have waited.
func newClient(t *testing.T, h http.HandlerFunc) (*Client, *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(Config{Server: s.URL, Token: secret})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	var waits []time.Duration
	c.wait = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	return c, &waits
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestNew(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		err    string // empty: none
	}{
		"https":                               {Config{Server: "https://ads.example.com:8443", Token: secret}, ""},
		"a slash at the end":                  {Config{Server: "http://127.0.0.1:9901/"}, ""},
		"plain HTTP to this machine":          {Config{Server: "http://[::1]:9901", Token: secret}, ""},
		"plain HTTP to localhost":             {Config{Server: "http://localhost:9901", Token: secret}, ""},
		"plain HTTP beyond, without a token":  {Config{Server: "http://10.0.0.1:9901"}, ""},
		"plain HTTP beyond, as was asked":     {Config{Server: "http://10.0.0.1:9901", Token: secret, Insecure: true}, ""},
		"a token over plain HTTP":             {Config{Server: "http://10.0.0.1:9901", Token: secret}, "server http://10.0.0.1:9901: a token may be read on the way over plain HTTP; use https"},
		"localhost in another name":           {Config{Server: "http://localhost.example.com", Token: secret}, "server http://localhost.example.com: a token may be read on the way over plain HTTP; use https"},
		"no server":                           {Config{}, `server: "" is not a URL such as https://ads.example.com:8443`},
		"an address without a scheme":         {Config{Server: "127.0.0.1:9901"}, `server: is not a URL such as https://ads.example.com:8443`},
		"another scheme":                      {Config{Server: "ftp://a"}, `server: "ftp://a" is not a URL such as https://ads.example.com:8443`},
		"a path":                              {Config{Server: "https://a/api"}, `server: "https://a/api" is not a URL such as https://ads.example.com:8443`},
		"a password in the address":           {Config{Server: "https://kim:" + secret + "@a"}, "server: credentials do not belong in a URL"},
		"a token with the end of a line":      {Config{Server: "https://a", Token: secret + "\nx"}, "token: has a character that no token has, such as a space or the end of a line"},
		"certificate authorities that are no": {Config{Server: "https://a", CAFile: "client_test.go"}, "ca file: no certificate in client_test.go"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.config)
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tc.err)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// TestReadsAreTriedAgain: and nothing else is.
func TestReadsAreTriedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		status     int
		retryAfter string
		waits      []time.Duration
		asked      int32
	}{
		"unavailable":                 {503, "", []time.Duration{200 * time.Millisecond, 800 * time.Millisecond}, 3},
		"unavailable, for a second":   {503, "1", []time.Duration{time.Second, time.Second}, 3},
		"unavailable, for an hour":    {503, "3600", nil, 1},
		"too many requests":           {429, "2", []time.Duration{2 * time.Second, 2 * time.Second}, 3},
		"the gateway knows no way":    {502, "", []time.Duration{200 * time.Millisecond, 800 * time.Millisecond}, 3},
		"the gateway waited too long": {504, "", []time.Duration{200 * time.Millisecond, 800 * time.Millisecond}, 3},
		"an internal error":           {500, "", nil, 1},
		"not there":                   {404, "", nil, 1},
		"no access":                   {401, "", nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			c, waits := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				w.WriteHeader(tc.status)
			})
			_, err := c.Fleet(t.Context())
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, tc.status, refused.Status)
			require.Equal(t, tc.waits, *waits)
			require.Equal(t, tc.asked, asked.Load())

			asked.Store(0)
			_, err = c.Export(t.Context(), "", io.Discard)
			require.ErrorAs(t, err, &refused)
			require.Equal(t, tc.asked, asked.Load(), "an export")

			for change, do := range map[string]func() error{
				"put":     func() error { _, err := c.PutCampaign(t.Context(), "a", json.RawMessage(`{}`), "", ""); return err },
				"patch":   func() error { _, err := c.PatchCampaign(t.Context(), "a", json.RawMessage(`{}`), "1", ""); return err },
				"delete":  func() error { _, err := c.DeleteCampaign(t.Context(), "a", "1", ""); return err },
				"import":  func() error { _, err := c.Import(t.Context(), strings.NewReader(`{}`), ImportOptions{}); return err },
				"revert":  func() error { _, err := c.Revert(t.Context(), 1, ""); return err },
				"confirm": func() error { _, err := c.ConfirmHeld(t.Context(), "v", ""); return err },
			} {
				asked.Store(0)
				require.ErrorAs(t, do(), &refused, change)
				require.EqualValues(t, 1, asked.Load(), change)
			}
		})
	}
}

func TestAReadIsTriedAgainWhereTheConnectionBreaks(t *testing.T) {
	var asked atomic.Int32
	c, waits := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"version":`)
			return // net/http breaks the connection off
		}
		_, _ = io.WriteString(w, `{"version":"v1"}`)
	})
	a, err := c.Fleet(t.Context())
	require.NoError(t, err)
	require.Equal(t, "v1", a.Value.Version)
	require.Len(t, *waits, 2)
}

func TestRequests(t *testing.T) {
	var got string
	c, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s", r.Method, r.RequestURI)
		for _, name := range []string{"Content-Type", "If-Match", "If-None-Match", "X-Comment"} {
			if v := r.Header.Get(name); v != "" {
				got += fmt.Sprintf("\n%s: %s", name, v)
			}
		}
		got += "\n" + string(body)
		if want := "Bearer " + secret; r.Header.Get("Authorization") != want {
			got = "no token: " + got
		}
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "poll") {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	ctx, body := t.Context(), json.RawMessage(`{"id":"a"}`)
	for want, do := range map[string]func() error{
		"GET /api/v1/campaigns/a%2F..%2F%3Fb%20%25\n": func() error { _, err := c.Campaign(ctx, "a/../?b %"); return err },
		"GET /api/v1/campaigns/%2E%2E\n":              func() error { _, err := c.Campaign(ctx, ".."); return err },
		"PUT /api/v1/campaigns/a\nContent-Type: application/json\nIf-None-Match: *\n" + string(body): func() error {
			_, err := c.PutCampaign(ctx, "a", body, "", "")
			return err
		},
		"PUT /api/v1/campaigns/a\nContent-Type: application/json\nIf-Match: \"7\"\nX-Comment: fr%C3%BChling%20%0A\n" + string(body): func() error {
			_, err := c.PutCampaign(ctx, "a", body, "7", "frühling \n")
			return err
		},
		"PATCH /api/v1/campaigns/a\nContent-Type: application/merge-patch+json\nIf-Match: \"7\"\n" + string(body): func() error {
			_, err := c.PatchCampaign(ctx, "a", body, `"7"`, "")
			return err
		},
		"DELETE /api/v1/campaigns/a\nIf-Match: \"7\"\n": func() error { _, err := c.DeleteCampaign(ctx, "a", "7", ""); return err },
		"GET /api/v1/document?origin=operator\n":        func() error { _, err := c.Export(ctx, "operator", io.Discard); return err },
		"POST /api/v1/document?dry_run=true\nContent-Type: application/json\n{}": func() error {
			_, err := c.Import(ctx, strings.NewReader("{}"), ImportOptions{DryRun: true})
			return err
		},
		"POST /api/v1/document\nContent-Type: application/json\nIf-Match: \"0\"\n{}": func() error {
			_, err := c.Import(ctx, strings.NewReader("{}"), ImportOptions{Base: new(uint64)})
			return err
		},
		"GET /api/v1/revisions/0/diff/8?limit=500\n": func() error {
			for _, err := range c.RevisionsDiff(ctx, 0, 8, 0) {
				return err
			}
			return nil
		},
		"POST /api/v1/document\nContent-Type: application/json\nX-Comment: x\n{}": func() error {
			_, err := c.Import(ctx, strings.NewReader("{}"), ImportOptions{Comment: "x"})
			return err
		},
		"POST /api/v1/revisions/7/revert\n": func() error { _, err := c.Revert(ctx, 7, ""); return err },
		"GET /api/v1/versions\n":            func() error { _, err := c.Versions(ctx); return err },
		"GET /api/v1/versions/a/diff/b\n":   func() error { _, err := c.DiffVersions(ctx, "a", "b"); return err },
		"POST /api/v1/versions/a/rollback\nX-Comment: why\n": func() error {
			_, err := c.Rollback(ctx, "a", "why")
			return err
		},
		"DELETE /api/v1/pin\n":          func() error { _, err := c.Resume(ctx, ""); return err },
		"GET /api/v1/held\n":            func() error { _, err := c.Held(ctx); return err },
		"POST /api/v1/held/a/confirm\n": func() error { _, err := c.ConfirmHeld(ctx, "a", ""); return err },
		"POST /api/v1/held/a/refuse\n":  func() error { _, err := c.RefuseHeld(ctx, "a", ""); return err },
		"POST /api/v1/source/poll\n":    func() error { _, err := c.Poll(ctx); return err },
		"GET /api/v1/fleet\n":           func() error { _, err := c.Fleet(ctx); return err },
		"GET /api/v1/explain?at=2026-12-24T22%3A00%3A00Z&country=us&lang=en\n": func() error {
			_, err := c.Explain(ctx, "us", "en", time.Date(2026, 12, 24, 23, 0, 0, 0, time.FixedZone("", 3600)))
			return err
		},
	} {
		require.NoError(t, do(), want)
		require.Equal(t, want, got)
	}
	_, err := c.Resume(ctx, strings.Repeat("ü", 1001))
	require.ErrorContains(t, err, "comment: has 1001 characters, at most 1000 are allowed")
}

func TestPages(t *testing.T) {
	var asked []string
	c, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		next := map[string]string{"": "b", "b": "c"}[r.URL.Query().Get("cursor")]
		_, _ = fmt.Fprintf(w, `{"items":[{"id":"1"},{"id":"2"}],"next":%q,"total":6}`, next)
	})
	read := func(limit int) (pages int) {
		asked = nil
		for page, err := range c.Campaigns(t.Context(), CampaignFilter{Country: "us", Text: "a b"}, limit) {
			require.NoError(t, err)
			require.Len(t, page.Value.Items, 2)
			require.Contains(t, string(page.JSON), `"total":6`)
			pages++
		}
		return pages
	}
	require.Equal(t, 3, read(0))
	require.Equal(t, []string{"country=us&limit=500&q=a+b", "country=us&cursor=b&limit=500&q=a+b", "country=us&cursor=c&limit=500&q=a+b"}, asked)
	require.Equal(t, 2, read(3))
	require.Equal(t, []string{"country=us&limit=3&q=a+b", "country=us&cursor=b&limit=1&q=a+b"}, asked)
	require.Equal(t, 1, read(2))
	for _, err := range c.Campaigns(t.Context(), CampaignFilter{}, 0) {
		require.NoError(t, err)
		break // and nothing is asked any more
	}
	require.Len(t, asked, 2)
}

func TestErrors(t *testing.T) {
	body := `{"message":"It was changed meanwhile.","code":"revision_conflict","field":"x","present":{"id":"a","etag":"\"8\""},` +
		`"changed":[{"field":"weight","before":1,"after":3}],"fields":[{"field":"lang","code":"c","message":"m","row":2,"line":7,"id":"b"}],"more":4}`
	c, _ := newClient(t, answer(412, body))
	_, err := c.PutCampaign(t.Context(), "a", json.RawMessage(`{}`), "7", "")
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "x: It was changed meanwhile. (revision_conflict, status 412)", refused.Error())
	require.Equal(t, []apiv1.FieldError{{Field: "lang", Code: "c", Message: "m", Row: 2, Line: 7, ID: "b"}}, refused.Fields)
	require.Equal(t, 4, refused.More)
	require.Equal(t, `"8"`, refused.Conflict.Present.ETag)
	require.Equal(t, []apiv1.FieldChange{{Field: "weight", Before: json.RawMessage("1"), After: json.RawMessage("3")}}, refused.Conflict.Changed)

	c, _ = newClient(t, answer(422, body))
	_, err = c.Fleet(t.Context())
	require.ErrorAs(t, err, &refused)
	require.Nil(t, refused.Conflict)
}

func TestOnlyTrustedServersAreAsked(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(200, `{"version":"v1"}`))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	c, err := New(Config{Server: s.URL, Token: secret, CAFile: file})
	require.NoError(t, err)
	a, err := c.Fleet(t.Context())
	require.NoError(t, err)
	require.Equal(t, "v1", a.Value.Version)

	c, err = New(Config{Server: s.URL, Token: secret})
	require.NoError(t, err)
	_, err = c.Fleet(t.Context())
	require.ErrorContains(t, err, "certificate signed by unknown authority")
}
