package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// long is a campaign of a key of its own, whose url has this many bytes.
func long(id, country string, n int) string {
	url := "https://v.example/" + id
	return fmt.Sprintf(`{"id":%q,"video_url":"%s%s","country":%q,"lang":"eng","start_hour":0,"end_hour":24}`,
		id, url, strings.Repeat("x", max(n-len(url), 0)), country)
}

// twoFit starts an API whose limit holds two long campaigns and not three. The source has both.
func twoFit(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	source := `{"ads":[` + long("a", "aa", 1900) + "," + long("b", "bb", 1900) + `]}`
	h := start(t, func(c *Config) {
		c.MaxIndexBytes = len(compiled(t, source).Bytes) + 1000
		if change != nil {
			change(c)
		}
	})
	h.publisher.setSource(t, source)
	return h
}

// Whatever operators do, what is in force can be compiled after it, though no two of the campaigns meet in a key.
func TestNoChangeIsMadeThatCannotBeCompiled(t *testing.T) {
	room := request{method: "PATCH", path: "/campaigns/a", body: `{"enabled":false}`}
	third := request{method: "POST", path: "/campaigns", body: long("c", "cc", 1900)}
	for name, c := range map[string]struct {
		before  []request
		refused request
	}{
		"creating":                         {nil, third},
		"replacing":                        {nil, request{method: "PUT", path: "/campaigns/c", body: long("c", "cc", 1900)}},
		"importing":                        {nil, request{method: "POST", path: "/document", body: `{"ads":[` + long("c", "cc", 1900) + `]}`}},
		"trying to import":                 {nil, request{method: "POST", path: "/document?dry_run=true", body: `{"ads":[` + long("c", "cc", 1900) + `]}`}},
		"patching":                         {[]request{{method: "POST", path: "/campaigns", body: long("c", "cc", 0)}}, request{method: "PATCH", path: "/campaigns/c", body: `{"video_url":"https://v.example/` + strings.Repeat("x", 1900) + `"}`}},
		"taking back a pause":              {[]request{room, third}, request{method: "PATCH", path: "/campaigns/a", body: `{"enabled":true}`}},
		"reverting a pause":                {[]request{room, third}, request{method: "POST", path: "/revisions/1/revert"}},
		"deleting what hides the source's": {[]request{{method: "PUT", path: "/campaigns/a", body: long("a", "aa", 0)}, third}, request{method: "DELETE", path: "/campaigns/a"}},
		"enabling a campaign of operators": {[]request{{method: "POST", path: "/campaigns", body: strings.Replace(long("c", "cc", 1900), `{`, `{"enabled":false,`, 1)}}, request{method: "PATCH", path: "/campaigns/c", body: `{"enabled":true}`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := twoFit(t, nil)
			for _, q := range c.before {
				require.Less(t, h.do(t, q).status, 300, q.path)
			}
			before := h.must(t, 200, request{method: "GET", path: "/document"}).body
			got := h.must(t, 422, c.refused)
			require.Equal(t, "index_too_large", codeOf(t, got))
			require.Equal(t, uint64(len(c.before)), h.history.State().Rows.Revision())
			require.Equal(t, string(before), string(h.must(t, 200, request{method: "GET", path: "/document"}).body))
		})
	}
}

// Pausing a campaign makes an index larger where it shows many that it hid.
func TestAPauseThatShowsTooMany(t *testing.T) {
	ads := []string{plain("first", `,"priority":1`)}
	for n := range 240 {
		hours := fmt.Sprintf(`"start_hour":%d,"end_hour":%d`, n%24, (n+12)%24)
		ads = append(ads, strings.Replace(plain(fmt.Sprint(n), ""), `"start_hour":0,"end_hour":24`, hours, 1))
	}
	source := `{"ads":[` + strings.Join(ads, ",") + `]}`
	h := start(t, func(c *Config) { c.MaxIndexBytes = len(compiled(t, source).Bytes) + 1000 })
	h.publisher.setSource(t, source)
	got := h.must(t, 422, request{method: "PATCH", path: "/campaigns/first", body: `{"enabled":false}`})
	require.Equal(t, "index_too_large", codeOf(t, got))
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/0", body: `{"enabled":false}`})
}

// A change is tried with what is there when it is made, not with what was there when it was asked for.
func TestTwoChangesThatFitOnlyAlone(t *testing.T) {
	for name, q := range map[string]request{
		"an edit":   {method: "POST", path: "/campaigns", body: long("c", "cc", 1900)},
		"an import": {method: "POST", path: "/document", body: `{"ads":[` + long("c", "cc", 1900) + `]}`},
		"a revert":  {method: "POST", path: "/revisions/1/revert"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &racing{edit: revision.RowEdit{ID: "d", After: &revision.Row{Campaign: []byte(long("d", "dd", 1900))}}}
			h := twoFit(t, func(c *Config) {
				r.History = c.History
				c.History = r
			})
			_, err := h.history.Apply(t.Context(), revision.ChangeSet{Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "a", After: &revision.Row{}}}})
			require.NoError(t, err)
			require.Equal(t, "index_too_large", codeOf(t, h.must(t, 422, q)))
			require.Equal(t, uint64(2), h.history.State().Rows.Revision(), "the other's is there")
		})
	}
}

// The source has grown: nothing can be compiled, and operators can mend it.
func TestWhatCannotBeCompiledCanBeMended(t *testing.T) {
	three := []string{long("a", "aa", 1900), long("b", "bb", 1900), strings.Replace(long("c", "cc", 1900), `{`, `{"name":"old",`, 1)}
	eight := append([]string(nil), three...)
	for n := range 5 {
		eight = append(eight, long(fmt.Sprintf("e%d", n), fmt.Sprintf("e%c", 'a'+n), 1900))
	}
	for name, c := range map[string]struct {
		source []string
		q      request
		status int
	}{
		"a pause":                      {three, request{method: "PATCH", path: "/campaigns/c", body: `{"enabled":false}`}, 200},
		"a shorter url":                {three, request{method: "PATCH", path: "/campaigns/c", body: `{"video_url":"https://v.example/` + strings.Repeat("x", 1800) + `"}`}, 200},
		"another name":                 {three, request{method: "PATCH", path: "/campaigns/c", body: `{"name":"new"}`}, 200},
		"another campaign":             {three, request{method: "POST", path: "/campaigns", body: long("d", "dd", 0)}, 422},
		"a longer url":                 {three, request{method: "PATCH", path: "/campaigns/c", body: `{"video_url":"https://v.example/` + strings.Repeat("x", 2000) + `"}`}, 422},
		"an import that makes more":    {three, request{method: "POST", path: "/document", body: `{"ads":[` + long("a", "aa", 0) + "," + long("d", "dd", 2000) + `]}`}, 422},
		"an import that makes less":    {three, request{method: "POST", path: "/document", body: `{"ads":[` + long("a", "aa", 0) + "," + long("d", "dd", 1800) + `]}`}, 200},
		"a pause of one of many":       {eight, request{method: "PATCH", path: "/campaigns/c", body: `{"enabled":false}`}, 200},
		"another name of one of many":  {eight, request{method: "PATCH", path: "/campaigns/c", body: `{"name":"new"}`}, 200},
		"another campaign beside many": {eight, request{method: "POST", path: "/campaigns", body: long("d", "dd", 0)}, 422},
		"an import that makes few of many": {
			eight, request{method: "POST", path: "/document", body: `{"ads":[` + strings.ReplaceAll(strings.Join(eight, ","), strings.Repeat("x", 1700), "") + `]}`}, 200,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := twoFit(t, nil)
			h.publisher.setSource(t, `{"ads":[`+strings.Join(c.source, ",")+`]}`)
			got := h.must(t, c.status, c.q)
			if c.status == 422 {
				require.Equal(t, "index_too_large", codeOf(t, got))
				require.Contains(t, string(got.body), "a change has to make it smaller")
				require.Zero(t, h.history.State().Rows.Revision())
				return
			}
			require.Equal(t, uint64(1), h.history.State().Rows.Revision())
		})
	}
	h := twoFit(t, nil)
	h.publisher.setSource(t, `{"ads":[`+strings.Join(eight, ",")+`]}`)
	saved := decoded[apiv1.Saved](t, h.must(t, 200, request{method: "PATCH", path: "/campaigns/c", body: `{"enabled":false}`}))
	require.Contains(t, saved.Note, "The campaign is paused")
	require.Contains(t, saved.Note, "still cannot be published: index too large")
	h.must(t, 422, request{method: "POST", path: "/revisions/1/revert"})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/a", body: `{"name":"new"}`})
	saved = decoded[apiv1.Saved](t, h.must(t, 200, request{method: "POST", path: "/revisions/2/revert"}))
	require.Contains(t, saved.Note, "still cannot be published")
}

func TestAKeyThatWouldBeTooLargeIsNamed(t *testing.T) {
	h := start(t, nil)
	// Each minute has another set of some thousand campaigns.
	var ads []string
	for n := range 5000 {
		at := monday.Add(time.Duration(n) * time.Minute)
		ads = append(ads, plain(fmt.Sprintf("c%d", n), fmt.Sprintf(`,"start_at":%q,"end_at":%q`, at.Format(time.RFC3339), at.Add(5000*time.Minute).Format(time.RFC3339))))
	}
	got := h.send(t, request{method: "POST", path: "/document", body: `{"ads":[` + strings.Join(ads, ",") + `]}`})
	require.Equal(t, 422, got.status)
	require.Equal(t, "key_too_large", codeOf(t, got))
	require.Contains(t, string(got.body), "us/eng")
}

func TestExtents(t *testing.T) {
	small, large := extent{bytes: 1, whole: true}, extent{bytes: 2, whole: true}
	key, larger, other, none := extent{bytes: 1, key: "us/eng"}, extent{bytes: 2, key: "us/eng"}, extent{bytes: 1, key: "us/fra"}, extent{}
	for name, c := range map[string]struct {
		after, before extent
		want          bool
	}{
		"an index that is smaller":         {small, large, true},
		"one that is the same":             {large, large, true},
		"one that is larger":               {large, small, false},
		"an index where a key was too":     {large, key, true},
		"an index where nothing was known": {large, none, true},
		"a key that is smaller":            {key, larger, true},
		"a key that is the same":           {key, key, true},
		"a key that is larger":             {larger, key, false},
		"a key instead of another":         {other, larger, false},
		"a key instead of an index":        {key, large, false},
		"a key, where nothing was known":   {key, none, false},
		"nothing known, as before":         {none, none, false},
		"nothing known, instead of a key":  {none, key, false},
		"nothing known of an index":        {none, large, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.after.within(c.before)) })
	}
}

// A change waits for the one that is being tried, as long as a request may take.
func TestAChangeWaitsItsTurn(t *testing.T) {
	h := start(t, func(c *Config) { c.Timeout = 100 * time.Millisecond })
	tried, end := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, err := h.history.Apply(t.Context(), revision.ChangeSet{
			Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "s1", After: &revision.Row{}}},
			Check: func(context.Context, revision.Rows, revision.Rows) error { close(tried); <-end; return nil },
		})
		first <- err
	}()
	<-tried
	got := h.must(t, http.StatusServiceUnavailable, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	require.Equal(t, "timeout", codeOf(t, got))
	require.Equal(t, "1", got.header.Get("Retry-After"))
	close(end)
	require.NoError(t, <-first)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
}

// What was tried for a change is what is in force after it: it is not put together again, and it is the same.
func TestWhatWasTriedIsTheView(t *testing.T) {
	h := start(t, nil)
	s := &server{Config: Config{History: h.history, Publisher: h.publisher, Now: func() time.Time { return monday }, MaxIndexBytes: compile.DefaultMaxBytes}}
	var tried trial
	r, err := h.history.Apply(t.Context(), revision.ChangeSet{
		Who: "bob", Kind: revision.Edit, Check: s.tryRows(&tried),
		Edits: []revision.RowEdit{{ID: "s1", After: &revision.Row{}}, {ID: "n", After: &revision.Row{Campaign: []byte(plain("n", ""))}}},
	})
	require.NoError(t, err)
	s.adopt(tried, r.Number)
	v, err := s.view()
	require.NoError(t, err)
	require.Same(t, tried.after, v.Effective)
	other, err := (&server{Config: s.Config}).view()
	require.NoError(t, err)
	require.NotSame(t, tried.after, other.Effective)
	require.Equal(t, other.list(), v.list())
	require.Equal(t, uint64(1), v.list()[0].revision)

	s.adopt(trial{}, r.Number+1)
	again, err := s.view()
	require.NoError(t, err)
	require.Same(t, v, again, "of another revision nothing is taken")
}

// Writers wait while a change is tried: who goes away meanwhile, or takes too long, lets no further compilation begin.
func TestATrialEndsWithItsRequest(t *testing.T) {
	document := func(n int) *campaign.Effective {
		var ads []string
		for i := range n {
			ads = append(ads, long(fmt.Sprint(i), fmt.Sprintf("%c%c", 'a'+i, 'a'), 1900))
		}
		doc, err := campaign.Decode([]byte(`{"ads":[` + strings.Join(ads, ",") + `]}`))
		require.NoError(t, err)
		return new(campaign.Overlay).Apply(doc, revision.Rows{}.Campaigns())
	}
	for name, c := range map[string]struct {
		before, after int
		compilations  int
		passes        bool
	}{
		"one that can be compiled":                 {1, 2, 1, true},
		"one that cannot, though it could before":  {2, 3, 2, false},
		"one that cannot, as it could not before":  {8, 9, 4, false},
		"one that stops campaigns, but not enough": {4, 3, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			for last := 1; last <= c.compilations; last++ {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				compiled := 0
				s := &server{Config: Config{MaxIndexBytes: 6000, Now: func() time.Time {
					if compiled++; compiled == last {
						leave()
					}
					return monday
				}}}
				_, err := s.try(ctx, document(c.before), document(c.after))
				require.Equal(t, last, compiled)
				require.Error(t, err)
				if last < c.compilations || c.passes {
					require.ErrorIs(t, err, context.Canceled)
				}
			}
		})
	}
	ended, leave := context.WithCancel(t.Context())
	leave()
	s := &server{Config: Config{MaxIndexBytes: 6000, Now: func() time.Time { require.FailNow(t, "it is compiled"); return monday }}}
	_, err := s.try(ended, document(1), document(2))
	require.ErrorIs(t, err, context.Canceled)
}
