package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
)

// FuzzQuery: any query of a list is answered or refused by a parameter's name, and what is read is in canonical form.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"country=uk&lang=fre", "state=paused&origin=source&q=a", "limit=1000&cursor=YQ", "%", "a=b", "q=a&q=b", "limit=-1", "country=*", "cursor=\x00", "q=%ff",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		c := &call{Request: httptest.NewRequest(http.MethodGet, "/", http.NoBody)}
		c.URL.RawQuery = query
		q, err := c.params("country", "lang", "state", "origin", "q", "limit", "cursor")
		if err == nil {
			_, err = readLimit(q)
		}
		if err == nil {
			_, err = readCursor(q)
		}
		var fil filter
		if err == nil {
			fil, err = readFilter(q)
		}
		if err != nil {
			var p *problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, http.StatusBadRequest, p.status)
			return
		}
		if fil.country != "" && fil.country != campaign.Any {
			again, err := campaign.ParseCountry(fil.country)
			require.NoError(t, err)
			require.Equal(t, fil.country, again)
		}
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		require.Equal(t, values, q)
	})
}

// FuzzPatch: what is accepted is what an independent merge makes of it; anything else is the client's mistake.
func FuzzPatch(f *testing.F) {
	for _, p := range []string{
		`{"enabled":false}`, `{"enabled":null}`, `{"weight":3,"name":null}`, `{"id":"x"}`, `{"days":["mon"]}`, `{"foo":null}`, `{"name":"\ud800"}`, `[]`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(p), true)
		f.Add([]byte(p), false)
	}
	base, found := campaign.ParseOne([]byte(plain("a", `,"name":"n","weight":2`)))
	require.Empty(f, found)
	f.Fuzz(func(t *testing.T, body []byte, operator bool) {
		patch, err := members(body)
		if err != nil {
			return
		}
		i := item{Entry: campaign.Entry{Campaign: &base, Operator: operator}}
		e, err := applyPatch(i, patch)
		if err != nil {
			var p *problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, http.StatusUnprocessableEntity, p.status)
			return
		}
		var want, given map[string]any
		require.NoError(t, json.Unmarshal(i.canonical(), &want))
		require.NoError(t, json.Unmarshal(body, &given))
		for name, value := range given {
			if value == nil {
				delete(want, name)
			} else {
				want[name] = value
			}
		}
		expected, err := json.Marshal(want)
		require.NoError(t, err)
		c, found := campaign.ParseOne(expected)
		require.Empty(t, found)
		canonical := campaign.AppendJSON(nil, &c)
		switch {
		case e.after == nil: // of a source campaign that stays as it is
			require.Equal(t, i.canonical(), canonical)
		case len(e.after.Campaign) == 0:
			require.True(t, c.Paused)
		default:
			require.Equal(t, string(canonical), string(e.after.Campaign))
		}
	})
}

// FuzzImport: what is accepted is a document to an independent decoder, with the same campaigns; each finding has its line.
func FuzzImport(f *testing.F) {
	for _, d := range []string{
		`{"ads":[]}`, `{"ads":[` + plain("a", "") + `]}`, "{\"ads\":[\n{},\n" + plain("b", "") + "]}", `{"ads":[1,null,"x"]}`, `{"ads":[]} x`, `{"ads":[{]}`, `[]`, ``,
		`{"ads":[` + plain("a", "") + `,` + plain("a", "") + `]}`, "{\"ads\":[{\"id\":\"\xff\"}]}",
		"{\"ads\":[{}\n,\n]}", "{\"ads\":[\n1\"\"]}", `{"\u0061ds" : [[{"]":"\"}"}]]}`, `{"ads":[{]}`, `{"ads":["\",1]}`, "\n\n", `{"ads":[]},`, `{"ads":{}}`,
	} {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		requireAsWhole(t, body, iotest.HalfReader(bytes.NewReader(body)))
		requireAsWhole(t, body, iotest.OneByteReader(bytes.NewReader(body)))
		im, err := readRows(bytes.NewReader(body))
		lines := 1 + bytes.Count(body, []byte{'\n'})
		if err != nil {
			var bad *errDocument
			require.ErrorAs(t, err, &bad)
			require.LessOrEqual(t, bad.line, lines)
			return
		}
		for _, e := range im.findings {
			require.True(t, e.Line >= 1 && e.Line <= lines)
			require.True(t, e.Row >= 1 && e.Row <= im.rows)
		}
		var document struct{ Ads []json.RawMessage }
		require.NoError(t, json.Unmarshal(body, &document))
		require.Len(t, document.Ads, im.rows)
		if im.found > 0 {
			return
		}
		ours, err := campaign.Decode(body)
		require.NoError(t, err)
		require.Len(t, ours.Campaigns, len(im.campaigns))
		for n := range ours.Campaigns {
			require.Equal(t, string(campaign.AppendJSON(nil, &ours.Campaigns[n])), string(campaign.AppendJSON(nil, &im.campaigns[n])))
		}
	})
}

// FuzzCondition: a header is refused, or each tag that is read of it is in it.
func FuzzCondition(f *testing.F) {
	for _, h := range []string{"*", `"1-a"`, `W/"1", "2"`, ",", `"`, `"1""2"`, "\x00", "W/"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := readCondition(http.Header{"If-Match": {header}}, "If-Match")
		if err != nil {
			require.Nil(t, c)
			return
		}
		require.Equal(t, strings.Trim(header, " \t") == "*", c.any)
		for _, tag := range c.tags {
			require.Contains(t, header, tag)
		}
	})
}

// FuzzRevisionsDiff: any two numbers, limit and cursor are answered, with items of the diff, or refused.
func FuzzRevisionsDiff(f *testing.F) {
	h := start(f, nil)
	h.must(f, 201, request{method: "POST", path: "/campaigns", body: plain("a", "")})
	h.must(f, 200, request{method: "PATCH", path: "/campaigns/a", body: `{"weight":2}`})
	handler := &server{Config: Config{History: h.history}, diffs: make(slots, 1)}
	for _, c := range [][4]string{
		{"1", "2", "1", ""}, {"2", "1", "", "x"}, {"0", "2", "1000", "1"}, {"-1", "+2", "0", "-1"}, {"x", "99999999999999999999", "1", "18446744073709551615"},
	} {
		f.Add(c[0], c[1], c[2], c[3])
	}
	f.Fuzz(func(t *testing.T, from, to, limit, cursor string) {
		w := httptest.NewRecorder()
		query := url.Values{"limit": {limit}, "cursor": {cursorOf(cursor)}}
		c := &call{Request: httptest.NewRequest(http.MethodGet, "/?"+query.Encode(), http.NoBody), w: w, s: handler, args: []string{from, to}}
		if err := handler.diffRevisions(c); err != nil {
			p := c.problem(err)
			require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, p.status)
			return
		}
		var d apiv1.RevisionsDiff
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &d))
		require.Less(t, d.From, d.To)
		require.LessOrEqual(t, d.To, uint64(2))
		require.Equal(t, 1, d.Total)
		require.LessOrEqual(t, len(d.Items), 1)
	})
}

// FuzzCoverageCursor: any cursor of a page of coverage is answered or refused.
func FuzzCoverageCursor(f *testing.F) {
	h := start(f, nil)
	handler := &server{Config: Config{Publisher: h.publisher, Now: func() time.Time { return monday }}, covers: covers{one: make(slots, 1)}}
	for _, c := range []string{"", "{}", `{"minutes_without_ad":3}`, "null", "[", cursorOf("x")} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		w := httptest.NewRecorder()
		c := &call{Request: httptest.NewRequest(http.MethodGet, "/?limit=1&cursor="+cursorOf(cursor), http.NoBody), w: w, s: handler}
		if err := handler.coverage(c); err != nil {
			var p *problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, http.StatusBadRequest, p.status)
			return
		}
		var page apiv1.Page[apiv1.Coverage]
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	})
}
