package compile_test

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/e2e/refmodel"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// long asks for the long run: go test ./controlplane/compile -run TestReference -long -v.
var long = flag.Bool("long", os.Getenv("ADSIDECAR_LONG") == "1", "compare 1,000,000 times with the reference model")

const (
	comparisons     = 20_000
	longComparisons = 1_000_000
)

// comparer asks the index and the reference model of one document the same questions.
type comparer struct {
	model  *refmodel.Model
	reader *adindex.Reader
	bodies map[adindex.AdRef]served
}

func newComparer(t require.TestingT, document []byte) *comparer {
	model, err := refmodel.New(document)
	require.NoError(t, err)
	doc, err := campaign.Decode(document)
	require.NoError(t, err)
	result, err := compile.Compile(doc, compile.Params{})
	require.NoError(t, err)
	reader, err := adindex.Open(result.Bytes)
	require.NoError(t, err)

	var rejected []int
	for _, r := range result.Rejects {
		rejected = append(rejected, r.Index)
	}
	require.Equal(t, model.Rejected(), rejected)
	require.Equal(t, len(model.Ads()), reader.Ads())
	return &comparer{model: model, reader: reader, bodies: make(map[adindex.AdRef]served)}
}

// compare requires the same ads in the same order from both, for a request with these parameters at that time.
func (c *comparer) compare(t require.TestingT, country, lang string, at time.Time) {
	var want, got []served
	for _, ad := range c.model.Eligible(country, lang, at) {
		want = append(want, served{ID: ad.ID, URL: ad.URL, VideoURL: ad.URL})
	}
	query, refused := adrequest.Parse([]byte("GET"), []byte("/ad_request?"+url.Values{"country": {country}, "lang": {lang}}.Encode()))
	if refused == nil {
		key, ok := adindex.MakeKey(query.Country.String(), query.Lang.String())
		require.True(t, ok)
		if entry, ok := c.reader.Find(key); ok {
			cycle := c.reader.CycleAt(entry, at.Unix())
			for i := range cycle.Len() {
				got = append(got, c.body(t, cycle.Ad(i)))
			}
		}
	}
	require.Equal(t, want, got, "country %q, lang %q at %v", country, lang, at)
}

func (c *comparer) body(t require.TestingT, ad adindex.AdRef) served {
	body, ok := c.bodies[ad]
	if !ok {
		require.NoError(t, json.Unmarshal(answer(c.reader, ad), &body))
		c.bodies[ad] = body
	}
	return body
}

func TestReferenceUnderPropertyTests(t *testing.T) {
	want := comparisons
	if *long {
		want = longComparisons
	}
	compared, documents, hits := 0, 0, 0
	for compared < want {
		rapid.Check(t, func(rt *rapid.T) {
			document := sourceDocuments.Draw(rt, "document")
			c := newComparer(rt, []byte(document.text))
			documents++
			day := rapid.Int64Range(-50_000, 50_000).Draw(rt, "day since the epoch")
			for _, q := range append(rapid.SliceOfN(queries, 3, 6).Draw(rt, "queries"), document.queries...) {
				minute := rapid.IntRange(0, 59).Draw(rt, "minute")
				second := rapid.IntRange(0, 59).Draw(rt, "second")
				for h := range 24 {
					at := time.Unix(day*86_400+int64(h*3600+minute*60+second), 0)
					c.compare(rt, q.country, q.lang, at)
					compared++
					if len(c.model.Eligible(q.country, q.lang, at)) > 0 {
						hits++
					}
				}
			}
		})
	}
	require.GreaterOrEqual(t, compared, want)
	require.Greater(t, hits, compared/20, "most documents answer nothing")
	t.Logf("%d comparisons over %d documents, %d with an eligible ad", compared, documents, hits)
}

func TestReferenceOnTheHundredAds(t *testing.T) {
	t.Parallel()
	document := hundredAds(t)
	c := newComparer(t, document)
	require.Equal(t, 13, c.reader.Cursors())
	compared := 0
	for n := range 13 {
		key := c.reader.CursorKey(uint32(n))
		for _, lang := range campaign.LangAliases(key.Lang()) {
			for minute := range 24 * 60 {
				c.compare(t, key.Country(), lang, time.Date(2026, 11, 30, 0, minute, minute%60, 0, time.UTC))
				compared++
			}
		}
	}
	require.Equal(t, 31*1440, compared)
}

// TestReferenceOnEveryWindow compares all 24·25 windows at each hour's first and last second.
func TestReferenceOnEveryWindow(t *testing.T) {
	t.Parallel()
	var ads []string
	for start := range 24 {
		for end := range 25 {
			ads = append(ads, adJSON(time.Duration(start*100+end).String(), "us", "eng", start, end))
		}
	}
	c := newComparer(t, document(ads...))
	for h := range 24 {
		c.compare(t, "us", "en", time.Date(2028, 2, 29, h, 0, 0, 0, time.UTC))
		c.compare(t, "us", "en", time.Date(2028, 2, 29, h, 59, 59, 999_999_999, time.UTC))
	}
}

func TestReferenceOnNamedWindows(t *testing.T) {
	t.Parallel()
	const yes, no = true, false
	type moments map[string]bool
	tests := map[string]struct {
		start, end int
		at         moments
	}{
		"1 to 14":  {1, 14, moments{"00:59:59": no, "01:00:00": yes, "13:59:59": yes, "14:00:00": no}},
		"14 to 0":  {14, 0, moments{"13:59:59": no, "14:00:00": yes, "23:59:59": yes, "00:00:00": no}},
		"14 to 24": {14, 24, moments{"13:59:59": no, "14:00:00": yes, "23:59:59": yes, "00:00:00": no}},
		"0 to 0":   {0, 0, moments{"00:00:00": yes, "12:00:00": yes, "23:59:59": yes}},
		"0 to 24":  {0, 24, moments{"00:00:00": yes, "12:00:00": yes, "23:59:59": yes}},
		"7 to 7":   {7, 7, moments{"06:59:59": yes, "07:00:00": yes, "00:00:00": yes, "23:59:59": yes}},
		"22 to 2":  {22, 2, moments{"21:59:59": no, "22:00:00": yes, "23:59:59": yes, "00:00:00": yes, "01:59:59": yes, "02:00:00": no}},
		"0 to 1":   {0, 1, moments{"23:59:59": no, "00:00:00": yes, "00:59:59": yes, "01:00:00": no}},
		"23 to 24": {23, 24, moments{"22:59:59": no, "23:00:00": yes, "23:59:59": yes, "00:00:00": no}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newComparer(t, document(adJSON("a", "us", "eng", tc.start, tc.end)))
			for clock, active := range tc.at {
				at, err := time.Parse(time.DateTime, "2026-12-31 "+clock)
				require.NoError(t, err)
				var want []string
				if active {
					want = []string{"a"}
				}
				require.Equal(t, want, cycle(t, c.reader, "us", "eng", at), clock)
				c.compare(t, "us", "eng", at)
			}
		})
	}
}
