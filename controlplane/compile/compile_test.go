package compile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

func hundredAds(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/campaigns-100.json")
	require.NoError(t, err)
	return data
}

func decode(t testing.TB, document []byte) *campaign.Document {
	t.Helper()
	doc, err := campaign.Decode(document)
	require.NoError(t, err)
	return doc
}

// compileDocument returns the result and a reader of its bytes.
func compileDocument(t testing.TB, doc *campaign.Document, p compile.Params) (*compile.Result, *adindex.Reader) {
	t.Helper()
	result, err := compile.Compile(doc, p)
	require.NoError(t, err)
	r, err := adindex.Open(result.Bytes)
	require.NoError(t, err)
	return result, r
}

// answer is the body of the 200 for an ad.
func answer(r *adindex.Reader, ad adindex.AdRef) []byte {
	held := r.Body(ad)
	var base []byte
	if number, ok := adrequest.BaseOf(held); ok {
		base = r.Body(adindex.AdRef(number))
	}
	return adrequest.AppendBody(nil, held, base)
}

// served is the body of an answer.
type served struct{ ID, URL, VideoURL string }

// cycle returns the ids that a key serves at a time, in the order of their turns.
func cycle(t testing.TB, r *adindex.Reader, country, lang string, at time.Time) []string {
	t.Helper()
	key, ok := adindex.MakeKey(country, lang)
	require.True(t, ok, "%s/%s", country, lang)
	entry, ok := r.Find(key)
	if !ok {
		return nil
	}
	var ids []string
	c := r.CycleAt(entry, at.Unix())
	for i := range c.Len() {
		var ad served
		require.NoError(t, json.Unmarshal(answer(r, c.Ad(i)), &ad))
		ids = append(ids, ad.ID)
	}
	return ids
}

// hour returns an instant inside an hour of some UTC day.
func hour(h int) time.Time { return time.Date(2027, 3, 28, h, 59, 59, 999, time.UTC) }

func adJSON(id, country, lang string, start, end int) string {
	return fmt.Sprintf(`{"id":%q,"video_url":"https://v/%s?a=1&b=\"q\"<é>","country":%q,"lang":%q,"start_hour":%d,"end_hour":%d}`,
		id, id, country, lang, start, end)
}

func document(ads ...string) []byte {
	text := []byte(`{"ads":[`)
	for i, ad := range ads {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, ad...)
	}
	return append(text, `]}`...)
}

// TestHundredAdsVersion pins the bytes of the format: a change here makes every replica and Envoy take a new index, and
// needs a new format version if the layout changed.
func TestHundredAdsVersion(t *testing.T) {
	t.Parallel()
	result, r := compileDocument(t, decode(t, hundredAds(t)), compile.Params{SourceTime: time.Unix(1_800_000_000, 5)})
	require.Equal(t, "63afe6f0fac4fdc7bb6336dd3fe1da02", result.Version)
	require.Equal(t, 100, result.Ads)
	require.Equal(t, 13, result.CanonicalKeys)
	require.Equal(t, 31, result.Keys, "eight keys of a language with two codes, five of one with three")
	require.Empty(t, result.Rejects)
	require.Empty(t, result.Reasons)
	require.Equal(t, int64(1_800_000_000), r.SourceTime())
	require.Equal(t, adindex.Version(result.Bytes), result.Version)
}

// TestManyAdsVersion pins the bytes where ads are compiled in several batches and ids and days of many keys meet.
func TestManyAdsVersion(t *testing.T) {
	t.Parallel()
	for perKey, version := range map[int]string{10: "ac7d63b4b2d8ddde6b359918804ad789", 10_000: "f064413a11f7728b91fbb83a20e43e17"} {
		result, _ := compileDocument(t, &campaign.Document{Campaigns: manyCampaigns(30_000, perKey)}, compile.Params{})
		require.Equal(t, version, result.Version, "%d ads a key", perKey)
		require.Equal(t, adindex.Version(result.Bytes), result.Version)
	}
}

func TestTheOrderOfTheDocumentDoesNotShow(t *testing.T) {
	t.Parallel()
	doc := decode(t, hundredAds(t))
	want, _ := compileDocument(t, doc, compile.Params{})
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(doc.Campaigns), func(i, j int) {
			doc.Campaigns[i], doc.Campaigns[j] = doc.Campaigns[j], doc.Campaigns[i]
		})
		before := slices.Clone(doc.Campaigns)
		got, _ := compileDocument(t, doc, compile.Params{})
		require.Equal(t, want.Bytes, got.Bytes)
		require.Equal(t, before, doc.Campaigns, "the document is left alone")
	}
}

func TestTheSourceTimeDoesNotCountInTheVersion(t *testing.T) {
	t.Parallel()
	doc := decode(t, hundredAds(t))
	a, _ := compileDocument(t, doc, compile.Params{SourceTime: time.Unix(1, 0)})
	b, _ := compileDocument(t, doc, compile.Params{SourceTime: time.Unix(2, 0)})
	zero, r := compileDocument(t, doc, compile.Params{})
	require.Equal(t, a.Version, b.Version)
	require.Equal(t, a.Version, zero.Version)
	require.NotEqual(t, a.Bytes, b.Bytes)
	require.Zero(t, r.SourceTime())
}

func TestEveryPartOfACampaignCountsInTheVersion(t *testing.T) {
	t.Parallel()
	base := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", StartHour: 1, EndHour: 2}
	changes := map[string]func(*campaign.Campaign){
		"id":      func(c *campaign.Campaign) { c.ID = "b" },
		"url":     func(c *campaign.Campaign) { c.VideoURL = "https://w/" },
		"country": func(c *campaign.Campaign) { c.Country = "ca" },
		"lang":    func(c *campaign.Campaign) { c.Lang = "fra" },
		"start":   func(c *campaign.Campaign) { c.StartHour = 0 },
		"end":     func(c *campaign.Campaign) { c.EndHour = 3 },
	}
	versions := make(map[string]string)
	compileOne := func(c campaign.Campaign) string {
		result, _ := compileDocument(t, &campaign.Document{Campaigns: []campaign.Campaign{c}}, compile.Params{})
		return result.Version
	}
	versions[compileOne(base)] = "base"
	for name, change := range changes {
		c := base
		change(&c)
		version := compileOne(c)
		require.NotContains(t, versions, version, name)
		versions[version] = name
	}
	moved := base
	moved.Index = 7
	require.Equal(t, "base", versions[compileOne(moved)], "the place in the document does not count")
}

func TestBodiesAreTheAnswersOfDecision(t *testing.T) {
	t.Parallel()
	_, r := compileDocument(t, decode(t, document(adJSON("J", "jp", "jpn", 0, 24))), compile.Params{})
	entry, ok := r.Find(mustKey(t, "jp", "ja"))
	require.True(t, ok)
	body := answer(r, r.CycleAt(entry, 0).Ad(0))
	require.Equal(t, `{"id":"J","url":"https://v/J?a=1&b=\"q\"<é>","videoUrl":"https://v/J?a=1&b=\"q\"<é>"}`, string(body))
}

func mustKey(t testing.TB, country, lang string) adindex.Key {
	t.Helper()
	key, ok := adindex.MakeKey(country, lang)
	require.True(t, ok)
	return key
}

func TestAliasesShareACursorAndDifferentKeysDoNot(t *testing.T) {
	t.Parallel()
	_, r := compileDocument(t, decode(t, document(
		adJSON("a", "FR", "fre", 0, 24), adJSON("b", "fr", "fr", 5, 7), adJSON("c", "be", "fra", 0, 24), adJSON("d", "uk", "zzz", 0, 0),
	)), compile.Params{})
	cursors := map[string]string{
		"fr/fr": "fr/fra", "fr/fra": "fr/fra", "fr/fre": "fr/fra", "be/fr": "be/fra", "be/fra": "be/fra", "be/fre": "be/fra",
		"gb/zzz": "gb/zzz",
	}
	require.Equal(t, len(cursors), r.Keys())
	require.Equal(t, 3, r.Cursors())
	for key, canonical := range cursors {
		country, lang, _ := strings.Cut(key, "/")
		entry, ok := r.Find(mustKey(t, country, lang))
		require.True(t, ok, key)
		require.Equal(t, canonical, r.CursorKey(entry.Cursor()).String(), key)
	}
	require.Equal(t, []string{"a", "b"}, cycle(t, r, "fr", "fre", hour(6)))
}

func TestCyclesAreInOrderOfIDBytes(t *testing.T) {
	t.Parallel()
	_, r := compileDocument(t, decode(t, document(
		adJSON("b", "us", "eng", 0, 24), adJSON("a10", "us", "en", 0, 24), adJSON("B", "US", "ENG", 0, 24),
		adJSON("a9", "us", "eng", 0, 24), adJSON("~", "us", "eng", 0, 24), adJSON(" ", "us", "eng", 0, 24), adJSON("a", "us", "eng", 0, 24),
	)), compile.Params{})
	require.Equal(t, []string{" ", "B", "a", "a10", "a9", "b", "~"}, cycle(t, r, "us", "eng", hour(0)))
}

func TestNoAdsMakeAnIndexWithoutAds(t *testing.T) {
	t.Parallel()
	result, r := compileDocument(t, decode(t, document(`null`)), compile.Params{})
	require.Zero(t, result.Ads)
	require.Zero(t, result.Keys)
	require.Equal(t, map[string]int{"wrong_type": 1}, result.Reasons)
	require.Len(t, result.Rejects, 1)
	require.Empty(t, cycle(t, r, "us", "eng", hour(0)))
}

func TestRejectsAreCountedByReason(t *testing.T) {
	t.Parallel()
	result, _ := compileDocument(t, decode(t, document(
		adJSON("a", "us", "eng", 0, 24), adJSON("a", "us", "eng", 0, 24), adJSON("b", "usa", "eng", 0, 24),
		adJSON("c", "usa", "eng", 0, 24), adJSON("d", "us", "eng", 24, 24),
	)), compile.Params{})
	require.Equal(t, 1, result.Ads)
	require.Len(t, result.Rejects, 4)
	require.Equal(t, 4, result.Rejected)
	require.Equal(t, map[string]int{"duplicate": 1, "invalid_country": 2, "out_of_range": 1}, result.Reasons)
}

func TestRejectsAreCountedBeyondThoseThatAreDescribed(t *testing.T) {
	t.Parallel()
	ads := []string{adJSON("a", "us", "eng", 0, 24)}
	for range campaign.MaxRejects + 5 {
		ads = append(ads, "7")
	}
	result, _ := compileDocument(t, decode(t, document(append(ads, adJSON("b", "us", "eng", 0, 24))...)), compile.Params{})
	require.Equal(t, 2, result.Ads)
	require.Len(t, result.Rejects, campaign.MaxRejects)
	require.Equal(t, campaign.MaxRejects+5, result.Rejected)
	require.Equal(t, map[string]int{"wrong_type": campaign.MaxRejects + 5}, result.Reasons)
}

func TestEqualDaysMakeEqualIndexes(t *testing.T) {
	t.Parallel()
	compileOne := func(start, end int) *compile.Result {
		result, _ := compileDocument(t, decode(t, document(adJSON("a", "us", "eng", start, end))), compile.Params{})
		return result
	}
	version := func(start, end int) string { return compileOne(start, end).Version }
	require.Less(t, len(compileOne(0, 12).Bytes), len(compileOne(1, 2).Bytes), "two segments take less than three")
	for h := range 24 {
		require.Equal(t, version(0, 24), version(h, h), "%d to %d is one segment", h, h)
		if h > 0 {
			require.Equal(t, version(h, 0), version(h, 24), "%d to midnight", h)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	doc := decode(t, hundredAds(t))
	result, _ := compileDocument(t, doc, compile.Params{})
	size := len(result.Bytes)
	exact, err := compile.Compile(doc, compile.Params{MaxBytes: size})
	require.NoError(t, err)
	require.Equal(t, result.Bytes, exact.Bytes)

	tooLarge, err := compile.Compile(doc, compile.Params{MaxBytes: size - 1})
	require.Nil(t, tooLarge)
	require.ErrorIs(t, err, compile.ErrTooLarge)
	require.EqualError(t, err, fmt.Sprintf("index too large: %d bytes for 100 ads, the limit is %d bytes", size, size-1))
}

func TestCampaignsThatDecodeWouldNotMake(t *testing.T) {
	t.Parallel()
	valid := campaign.Campaign{ID: "a", VideoURL: "https://v/", Country: "us", Lang: "eng", Index: 3}
	with := func(country, lang string) []campaign.Campaign {
		c := valid
		c.Country, c.Lang = country, lang
		return []campaign.Campaign{c}
	}
	long := valid
	long.ID = strings.Repeat("i", 65_536)
	tests := map[string]struct {
		campaigns []campaign.Campaign
		want      string
	}{
		"a long id":         {[]campaign.Campaign{long}, `ad 3: the id takes 65536 bytes, at most 65535 fit`},
		"the same id twice": {[]campaign.Campaign{valid, valid}, `ads 3 and 3: both have the id "a"`},
		"upper case":        {with("US", "eng"), `ad 3: country "US" with lang "eng" is no canonical key`},
		"no lang":           {with("us", ""), `ad 3: country "us" with lang "" is no canonical key`},
		"an alias":          {with("us", "en"), `ad 3: country "us" with lang "en" is no canonical key`},
		"UK":                {with("uk", "eng"), `ad 3: country "uk" with lang "eng" is no canonical key`},
		"two stars":         {with("**", "eng"), `ad 3: country "**" with lang "eng" is no canonical key`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := compile.Compile(&campaign.Document{Campaigns: tc.campaigns}, compile.Params{})
			require.EqualError(t, err, tc.want)
			require.Nil(t, result)
		})
	}
}
