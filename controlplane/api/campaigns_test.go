package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

func ids(p apiv1.Page[apiv1.Campaign]) []string {
	all := []string{}
	for _, c := range p.Items {
		all = append(all, c.ID)
	}
	return all
}

func TestListFilters(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("o1", `,"labels":["Winter"]`)})
	h.must(t, 200, request{method: "PUT", path: "/campaigns/s2", body: plain("s2", `,"name":"ours"`)})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s3", body: `{"enabled":false}`})
	for name, c := range map[string]struct {
		query string
		want  []string
	}{
		"all in force, by id":             {"", []string{"o1", "s1", "s2", "s3", "s4", "s5", "s6"}},
		"a country by any name":           {"country=UK", []string{"s3"}},
		"a language by any of its codes":  {"lang=fre", []string{"s3"}},
		"another code":                    {"lang=de", []string{"s5", "s6"}},
		"campaigns for all countries":     {"country=*", []string{"s4"}},
		"running":                         {"state=running", []string{"o1", "s1", "s2"}},
		"scheduled":                       {"state=scheduled", []string{"s5"}},
		"ended":                           {"state=ended", []string{"s6"}},
		"paused, by whom ever":            {"state=paused", []string{"s3", "s4"}},
		"shadowed by the operators'":      {"state=shadowed", []string{"s2"}},
		"the operators'":                  {"origin=operator", []string{"o1", "s2"}},
		"the source's":                    {"origin=source&country=us", []string{"s1"}},
		"a text of a name, in any case":   {"q=SPRING", []string{"s1"}},
		"a text of a label":               {"q=winter", []string{"o1"}},
		"a text of a url":                 {"q=example/s5", []string{"s5"}},
		"nothing":                         {"q=nothing-has-this", []string{}},
		"an injected text is only a text": {"q=%3Cscript%3E", []string{"s1"}},
	} {
		t.Run(name, func(t *testing.T) {
			page := get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns?"+c.query)
			require.Equal(t, c.want, ids(page))
			require.Equal(t, len(c.want), page.Total)
			require.Empty(t, page.Next)
		})
	}
	for name, query := range map[string]string{
		"an unknown state": "state=lost", "an unknown origin": "origin=moon", "a country of three letters": "country=usa", "a language of digits": "lang=12",
		"an unknown parameter": "foo=1", "one that is there twice": "q=a&q=b", "no limit": "limit=0", "a limit over 1,000": "limit=1001", "words": "limit=x",
		"a cursor that is none": "cursor=%21", "a query that is none": "q=%zz", "a text without end": "q=" + strings.Repeat("x", 513),
	} {
		t.Run(name, func(t *testing.T) {
			h.must(t, 400, request{method: "GET", path: "/campaigns?" + query, lax: true})
		})
	}
}

// A page begins behind the last campaign of the one before, whatever was added or removed meanwhile.
func TestPagesAreStableUnderChange(t *testing.T) {
	h := start(t, nil)
	for _, id := range []string{"b", "d", "f", "h"} {
		h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain(id, "")})
	}
	first := get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns?origin=operator&limit=2")
	require.Equal(t, []string{"b", "d"}, ids(first))
	require.Equal(t, 4, first.Total)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	h.must(t, 200, request{method: "DELETE", path: "/campaigns/d"})
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("e", "")})
	second := get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns?origin=operator&limit=2&cursor="+first.Next)
	require.Equal(t, []string{"e", "f"}, ids(second))
	third := get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns?origin=operator&limit=2&cursor="+second.Next)
	require.Equal(t, []string{"h"}, ids(third))
	require.Empty(t, third.Next)
}

func TestOneCampaign(t *testing.T) {
	h := start(t, nil)
	got := h.must(t, 200, request{method: "GET", path: "/campaigns/s2"})
	c := decoded[apiv1.Campaign](t, got)
	require.Equal(t, got.header.Get("ETag"), c.ETag)
	require.Equal(t, "running", c.State)
	require.Equal(t, "source", c.Origin)
	require.True(t, c.EligibleNow)
	require.Equal(t, monday, c.NextEligible)
	require.JSONEq(t, `{"id":"s2","video_url":"https://v.example/s2","country":"us","lang":"eng","start_hour":9,"end_hour":17,"labels":["Summer"]}`, string(c.Campaign))

	c = get[apiv1.Campaign](t, h, "/campaigns/s3") // 0 to 12, and it is past noon
	require.False(t, c.EligibleNow)
	require.Equal(t, "2027-03-02T00:00:00Z", c.NextEligible.Format("2006-01-02T15:04:05Z07:00"))
	require.True(t, get[apiv1.Campaign](t, h, "/campaigns/s4").NextEligible.IsZero(), "it is paused")
	require.True(t, get[apiv1.Campaign](t, h, "/campaigns/s6").NextEligible.IsZero(), "it has ended")
	require.Equal(t, "campaign_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: "/campaigns/none"})))
	require.Equal(t, "campaign_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: "/campaigns/bad"})))
	require.Equal(t, 200, h.send(t, request{method: "HEAD", path: "/campaigns/s2"}).status)
}

// Ids are any printable ASCII: no path is cleaned, no slash is a separator once it is escaped.
func TestIDsOfAnyKind(t *testing.T) {
	h := start(t, nil)
	for id, escaped := range map[string]string{
		"a/b": "a%2Fb", "...": "%2E..", "100%": "100%25", "<b>": "%3Cb%3E", "a b?c#d": "a%20b%3Fc%23d", "revert": "revert",
	} {
		got := h.send(t, request{method: "PUT", path: "/campaigns/" + escaped, body: plain(id, "")})
		require.Equal(t, 201, got.status, "%s: %s", id, got.body)
		location := got.header.Get("Location")
		got = h.send(t, request{method: "GET", path: strings.TrimPrefix(location, "/api/v1")})
		require.Equal(t, http.StatusOK, got.status, location)
		require.Equal(t, id, decoded[apiv1.Campaign](t, got).ID)
	}
}

// Clients take . and .. in a path for steps: the API makes no campaign that they cannot ask for. Those of the source are there, and can be paused.
func TestIDsThatNoPathCanHave(t *testing.T) {
	h := start(t, nil)
	h.publisher.setSource(t, `{"ads":[`+plain(".", "")+`]}`)
	for _, q := range []request{
		{method: "POST", path: "/campaigns", body: plain("..", "")},
		{method: "PUT", path: "/campaigns/%2E%2E", body: plain("..", "")},
		{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `,` + plain("..", "") + `]}`},
	} {
		got := h.send(t, q)
		require.Equal(t, 422, got.status, "%s", got.body)
		fields := decoded[apiv1.Invalid](t, got).Fields
		require.Len(t, fields, 1)
		require.Equal(t, []string{"id", "invalid_id"}, []string{fields[0].Field, fields[0].Code})
		if q.path == "/document" {
			require.Equal(t, 2, fields[0].Row)
		}
	}
	require.Zero(t, h.history.State().Rows.Revision())
	require.Equal(t, 200, h.send(t, request{method: "PATCH", path: "/campaigns/%2E", body: `{"enabled":false}`}).status)
	require.Equal(t, 200, h.send(t, request{method: "PATCH", path: "/campaigns/%2E", body: `{"enabled":true}`}).status)
	require.Equal(t, 200, h.send(t, request{method: "POST", path: "/document", body: `{"ads":[` + plain(".", `,"weight":2`) + `]}`}).status)
	require.Equal(t, 200, h.send(t, request{method: "PUT", path: "/campaigns/%2E", body: plain(".", `,"weight":3`)}).status)
}
