package plugin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/abi"
)

// row is one case of the table: what is asked, the whole list as often as repeat says.
type row struct {
	asks   []ask
	repeat int      // 0 means once
	cycle  []string // the ads of all answers together, in turn from any start
	same   bool     // all answers are the same
}

// ask is one request and its answer.
type ask struct {
	method string // "" means GET
	query  string // with its "?"
	status uint32
	cycle  []string // of a 200: the ads that this request gets over the repeats, in turn from any start
	code   string   // of an error, and its param
	param  string
}

func get(query string, cycle ...string) ask {
	return ask{query: "?" + query, status: 200, cycle: cycle}
}

func noAdFor(query string) ask { return ask{query: "?" + query, status: 404, code: "no_ad_available"} }

func bad(query, code, param string) row {
	return row{asks: []ask{{query: query, status: 400, code: code + "_parameter", param: param}}}
}

func refuses(method string) row {
	return row{asks: []ask{{method: method, query: "?country=us&lang=eng", status: 405, code: "method_not_allowed"}}}
}

// gets is a row of requests that are asked once.
func gets(asks ...ask) row { return row{asks: asks} }

func padded(query string, size int) string { return query + strings.Repeat("x", size-len(query)) }

// table is every rule of the ad decision that is the filter's, by configuration.
var table = map[string]map[string]row{
	"ads": {
		"three requests get the three ads":      {asks: []ask{get("country=us&lang=eng")}, repeat: 3, cycle: []string{"A1", "A2", "A3"}},
		"300 requests in turn, two aliases":     {asks: []ask{get("country=us&lang=eng"), get("country=us&lang=en")}, repeat: 150, cycle: []string{"A1", "A2", "A3"}},
		"equal schedules, a cursor for each":    {asks: []ask{get("country=it&lang=ita", "X1", "X2"), get("country=at&lang=deu", "X1", "X2")}, repeat: 150},
		"another key takes no turn":             {asks: []ask{get("country=us&lang=eng", "A1", "A2", "A3"), get("country=gb&lang=eng", "D")}, repeat: 30},
		"an error takes no turn":                {asks: []ask{get("country=us&lang=eng", "A1", "A2", "A3"), {query: "?country=us&lang=engl", status: 400, code: "invalid_parameter", param: "lang"}}, repeat: 30},
		"a weighted cycle":                      {asks: []ask{get("country=br&lang=por", "H", "L", "H", "H")}, repeat: 40},
		"upper case":                            gets(get("country=GB&lang=ENG", "D")),
		"parameters in the other order":         gets(get("lang=eng&country=gb", "D")),
		"UK is GB":                              gets(get("country=uk&lang=eng", "D"), get("country=UK&lang=eng", "D"), get("country=gb&lang=eng", "D")),
		"the aliases of a language":             gets(get("country=fr&lang=fra", "E"), get("country=fr&lang=fre", "E"), get("country=fr&lang=fr", "E")),
		"a window to come":                      gets(noAdFor("country=ca&lang=fre"), noAdFor("country=ca&lang=fra")),
		"a window that wraps":                   gets(get("country=mx&lang=spa", "C")),
		"another language of the country":       gets(noAdFor("country=us&lang=spa")),
		"another alias than the key's":          gets(noAdFor("country=gb&lang=en")),
		"an unknown key":                        gets(noAdFor("country=xx&lang=zzz")),
		"a url with quotes and markup":          gets(get("country=jp&lang=jpn", "J")),
		"an encoded country":                    gets(get("country=%67%62&lang=eng", "D")),
		"a country encoded twice":               bad("?country=%2575s&lang=eng", "invalid", "country"),
		"an equal repetition":                   gets(get("country=uk&country=GB&lang=eng", "D")),
		"another repetition":                    bad("?country=us&country=ca&lang=eng", "duplicate", "country"),
		"another language repeated":             bad("?country=us&lang=en&lang=eng", "duplicate", "lang"),
		"unknown parameters":                    gets(get("country=gb&lang=eng&hour=3&now=0&user_id=7&foo=bar", "D")),
		"no query":                              bad("", "missing", "country"),
		"an empty query":                        bad("?", "missing", "country"),
		"no country":                            bad("?lang=eng", "missing", "country"),
		"no language":                           bad("?country=us", "missing", "lang"),
		"an empty country":                      bad("?country=&lang=eng", "missing", "country"),
		"a name in another case":                bad("?Country=us&lang=eng", "missing", "country"),
		"three letters":                         bad("?country=usa&lang=eng", "invalid", "country"),
		"a digit":                               bad("?country=u5&lang=eng", "invalid", "country"),
		"a leading space":                       bad("?country=+us&lang=eng", "invalid", "country"),
		"a trailing space":                      bad("?country=us%20&lang=eng", "invalid", "country"),
		"a zero byte":                           bad("?country=u%00&lang=eng", "invalid", "country"),
		"a bad escape":                          bad("?country=%zz&lang=eng", "invalid", "country"),
		"a line break and a header":             bad("?country=%0d%0aX:y&lang=eng", "invalid", "country"),
		"a dotted capital I":                    bad("?country=%C4%B0s&lang=eng", "invalid", "country"),
		"fullwidth letters":                     bad("?country=ｕｓ&lang=eng", "invalid", "country"),
		"a semicolon":                           bad("?country=us;lang=eng&lang=eng", "invalid", "country"),
		"dots and a slash":                      bad("?country=../&lang=eng", "invalid", "country"),
		"a wildcard":                            bad("?country=us&lang=*", "invalid", "lang"),
		"a query of 1,024 bytes":                gets(get(padded("country=gb&lang=eng&x=", 1024), "D")),
		"a query of 1,025 bytes":                gets(ask{query: "?" + padded("country=gb&lang=eng&x=", 1025), status: 414, code: "uri_too_long"}),
		"a query of 5 KiB":                      gets(ask{query: "?" + padded("", 5<<10), status: 414, code: "uri_too_long"}),
		"POST":                                  refuses("POST"),
		"PUT":                                   refuses("PUT"),
		"PATCH":                                 refuses("PATCH"),
		"DELETE":                                refuses("DELETE"),
		"OPTIONS":                               refuses("OPTIONS"),
		"HEAD leaves the turn to the next GET":  {asks: []ask{{method: "HEAD", query: "?country=us&lang=eng", status: 200}, {method: "HEAD", query: "?country=us&lang=en", status: 200}, get("country=us&lang=eng")}, same: true},
		"HEAD of a key without an ad":           gets(ask{method: "HEAD", query: "?country=ca&lang=fra", status: 404, code: "no_ad_available"}),
		"the exact entry":                       gets(get("country=se&lang=swe", "swede")),
		"the country's entry":                   {asks: []ask{get("country=se&lang=nob"), get("country=se&lang=fi")}, repeat: 10, cycle: []string{"sweden 1", "sweden 2"}},
		"the language's entry":                  gets(get("country=fi&lang=swe", "swedish")),
		"the first entry found answers alone":   gets(noAdFor("country=pt&lang=por")),
		"the clock of the day":                  gets(get("country=ck&lang=day", "midnight")),
		"the clock of the week":                 gets(get("country=ck&lang=wee", "saturday")),
		"the absolute clock":                    gets(get("country=ck&lang=abs", "now")),
		"the absolute clock after its end":      gets(get("country=ck&lang=aft", "saturday")),
		"the absolute clock before its horizon": gets(get("country=ck&lang=bef", "first")),
	},
	"a house ad": {
		"the exact entry":                        gets(get("country=us&lang=eng", "A")),
		"an entry without ads falls not through": gets(noAdFor("country=us&lang=spa")),
		"the entry for all, one cursor":          {asks: []ask{get("country=ca&lang=fra"), get("country=mx&lang=spa")}, repeat: 10, cycle: []string{"house 1", "house 2"}},
	},
	"no ads": {
		"a key":                                gets(noAdFor("country=us&lang=eng")),
		"a bad request":                        bad("?country=usa&lang=eng", "invalid", "country"),
		"HEAD":                                 gets(ask{method: "HEAD", query: "?country=us&lang=eng", status: 404, code: "no_ad_available"}),
		"no ads at all of any key, many times": {asks: []ask{noAdFor("country=us&lang=eng")}, repeat: 10},
	},
	"no index": {
		"a key":         gets(ask{query: "?country=us&lang=eng", status: 503, code: "campaigns_unavailable"}),
		"HEAD":          gets(ask{method: "HEAD", query: "?country=us&lang=eng", status: 503, code: "campaigns_unavailable"}),
		"a bad request": bad("?country=usa&lang=eng", "invalid", "country"),
		"POST":          refuses("POST"),
	},
}

func TestTable(t *testing.T) {
	for fixture, rows := range table {
		t.Run(fixture, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *worker) {
				require.True(t, w.push(fixtures[fixture](t)))
				for name, row := range rows {
					t.Run(name, func(t *testing.T) { row.run(t, w) })
				}
			})
		})
	}
}

func (r row) run(t *testing.T, w *worker) {
	t.Helper()
	before, want := counters(w), map[string]uint64{}
	var all []string
	each := make([][]string, len(r.asks))
	for range max(r.repeat, 1) {
		for i, ask := range r.asks {
			body := ask.run(t, w)
			all, each[i] = append(all, body), append(each[i], body)
			want[counterOf[ask.status]]++
		}
	}
	for i, ask := range r.asks {
		requireCycle(t, ask.cycle, each[i])
	}
	requireCycle(t, r.cycle, all)
	if r.same {
		for _, body := range all {
			require.Equal(t, all[0], body)
		}
	}
	for name, now := range counters(w) {
		require.Equal(t, want[name], now-before[name], name)
	}
}

// run asks, checks everything but which ad it is, and returns the body.
func (a ask) run(t *testing.T, w *worker) string {
	t.Helper()
	if a.method == "" {
		a.method = "GET"
	}
	r := request(t, w, a.method, "/ad_request"+a.query)
	require.Equal(t, a.status, r.status, r.body)
	headers := map[string]string{}
	for _, h := range r.headers {
		headers[h[0]] = h[1]
	}
	require.Len(t, headers, len(r.headers))
	require.Equal(t, "application/json", headers["content-type"])
	delete(headers, "content-type")
	switch a.status {
	case 405:
		require.Equal(t, map[string]string{"allow": "GET, HEAD"}, headers)
	case 503:
		require.Regexp(t, "^[1-9][0-9]*$", headers["retry-after"])
		require.Len(t, headers, 1)
	default:
		require.Empty(t, headers)
	}
	if a.status != 200 {
		var e struct{ Message, Code, Param string }
		require.NoError(t, json.Unmarshal([]byte(r.body), &e))
		require.NotEmpty(t, e.Message)
		require.Equal(t, [2]string{a.code, a.param}, [2]string{e.Code, e.Param})
	}
	return r.body
}

// request asks and returns the reply, which must be there.
func request(t *testing.T, w *worker, method, path string) *reply {
	t.Helper()
	id := w.open()
	defer w.end(id)
	return answerOf(t, w, id, method, path)
}

func answerOf(t *testing.T, w *worker, id uint32, method, path string) *reply {
	t.Helper()
	action, r := w.ask(id, [][2]string{{":method", method}, {":path", path}, {":authority", "ads"}})
	require.Equal(t, abi.Pause, action)
	require.NotNil(t, r)
	return r
}

// requireCycle checks that the bodies are those of the cycle's ads in turn, from any start. An empty cycle asks nothing.
func requireCycle(t *testing.T, cycle, bodies []string) {
	t.Helper()
	if len(cycle) == 0 {
		return
	}
	for start := range cycle {
		var want []string
		for i := range bodies {
			want = append(want, body(cycle[(start+i)%len(cycle)]))
		}
		if fmt.Sprint(want) == fmt.Sprint(bodies) {
			return
		}
	}
	require.Failf(t, "not the cycle", "want %q in turn, from any start, got\n%s", cycle, strings.Join(bodies, "\n"))
}

var counterOf = map[uint32]string{
	200: "adsidecar.served", 404: "adsidecar.no_ad", 503: "adsidecar.unavailable", 500: "adsidecar.internal",
	400: "adsidecar.bad_request", 405: "adsidecar.bad_request", 414: "adsidecar.bad_request",
}

func counters(w *worker) map[string]uint64 {
	values := map[string]uint64{}
	for _, name := range counterOf {
		values[name] = w.counter(name)
	}
	return values
}
