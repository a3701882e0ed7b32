package compile_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

func explain(t testing.TB, doc *campaign.Document, country, lang string, at time.Time) compile.Explanation {
	t.Helper()
	e, err := compile.Explain(doc, country, lang, at)
	require.NoError(t, err)
	return e
}

// fewAds has ads of fr/fra in three windows, one of another key, and rejects of every kind.
func fewAds(t testing.TB) *campaign.Document {
	t.Helper()
	return decode(t, []byte(`{"ads":[
`+adJSON("night", "FR", "fre", 22, 2)+`,
`+adJSON("day", "fr", "fr", 0, 24)+`,
`+adJSON("morning", "fr", "fra", 6, 12)+`,
`+adJSON("other", "be", "fra", 0, 24)+`,
`+adJSON("day", "fr", "fra", 1, 2)+`,
`+adJSON("late", "fr", "fra", 1, 25)+`,
`+adJSON("anywhere", "fra", "fra", 1, 2)+`,
`+adJSON("anything", "fr", "french", 1, 2)+`,
`+adJSON("elsewhere", "be", "fra", 1, 25)+`,
`+adJSON("spoken elsewhere", "be", "french", 1, 2)+`,
`+adJSON("nowhere", "bel", "french", 1, 2)+`,
null
]}`))
}

func TestExplain(t *testing.T) {
	t.Parallel()
	doc := fewAds(t)
	at := time.Date(2026, 12, 31, 23, 30, 59, 999, time.UTC)
	want := compile.Explanation{
		Country: "fr", Lang: "fra", Aliases: []string{"fr", "fra", "fre"}, At: at.Truncate(time.Minute), Key: "fr/fra",
		Eligible: []compile.Ad{
			{ID: "day", VideoURL: `https://v/day?a=1&b="q"<é>`, Country: "fr", Lang: "fra", StartHour: 0, EndHour: 24, Weight: 1, Index: 1},
			{ID: "night", VideoURL: `https://v/night?a=1&b="q"<é>`, Country: "fr", Lang: "fra", StartHour: 22, EndHour: 2, Weight: 1, Index: 0},
		},
		Cycle: []int{0, 1},
		Waiting: []compile.Waiting{{
			Ad:     compile.Ad{ID: "morning", VideoURL: `https://v/morning?a=1&b="q"<é>`, Country: "fr", Lang: "fra", StartHour: 6, EndHour: 12, Weight: 1, Index: 2},
			Reason: "out_of_hours", NextEligible: time.Date(2027, 1, 1, 6, 0, 0, 0, time.UTC),
		}},
		Rejected: []compile.Rejected{
			{Reason: "duplicate", Reject: doc.Rejects[0]},
			{Reason: "invalid", Reject: doc.Rejects[1]},
			{Reason: "invalid", Reject: doc.Rejects[2]},
			{Reason: "invalid", Reject: doc.Rejects[3]},
		},
	}
	require.Equal(t, want, explain(t, doc, "FR", "Fre", at))
	paris := time.FixedZone("UTC+1", 3600)
	require.Equal(t, want, explain(t, doc, "fr", "fr", at.In(paris)), "hours are those of UTC in any zone")
}

func TestExplainSaysWhenAnAdIsNextEligible(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		start, end int
		at, want   string
	}{
		"later today":                    {6, 12, "2026-12-31 05:59", "2026-12-31 06:00"},
		"from the hour that just ended":  {6, 12, "2026-12-31 12:00", "2027-01-01 06:00"},
		"the next hour":                  {12, 13, "2026-12-31 11:00", "2026-12-31 12:00"},
		"a window that wraps":            {22, 2, "2026-12-31 02:00", "2026-12-31 22:00"},
		"midnight":                       {0, 1, "2026-12-31 01:00", "2027-01-01 00:00"},
		"a leap day":                     {0, 12, "2028-02-28 23:59", "2028-02-29 00:00"},
		"all but one hour":               {6, 5, "2026-12-31 05:30", "2026-12-31 06:00"},
		"the last hour of the day":       {23, 24, "2026-12-31 00:00", "2026-12-31 23:00"},
		"before the epoch, in some year": {6, 12, "1969-12-31 12:30", "1970-01-01 06:00"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse("2006-01-02 15:04", tc.at)
			require.NoError(t, err)
			e := explain(t, decode(t, document(adJSON("a", "us", "eng", tc.start, tc.end))), "us", "en", at)
			require.Empty(t, e.Eligible)
			require.Len(t, e.Waiting, 1)
			require.Equal(t, tc.want, e.Waiting[0].NextEligible.Format("2006-01-02 15:04"))
		})
	}
}

func TestExplainAgreesWithTheIndex(t *testing.T) {
	t.Parallel()
	doc := decode(t, hundredAds(t))
	_, r := compileDocument(t, doc, compile.Params{})
	ads, keys := 0, 0
	for n := range r.Cursors() {
		key := r.CursorKey(uint32(n))
		for _, lang := range campaign.LangAliases(key.Lang()) {
			keys++
			for h := range 24 {
				e := explain(t, doc, key.Country(), lang, hour(h))
				var ids []string
				for _, ad := range e.Eligible {
					ids = append(ids, ad.ID)
				}
				require.Equal(t, cycle(t, r, key.Country(), lang, hour(h)), ids)
				for _, ad := range e.Waiting {
					require.NotContains(t, ids, ad.ID)
					require.Contains(t, cycle(t, r, key.Country(), lang, ad.NextEligible), ad.ID)
					before := ad.NextEligible.Add(-time.Second)
					require.NotContains(t, cycle(t, r, key.Country(), lang, before), ad.ID)
				}
				if h == 0 && lang == key.Lang() {
					ads += len(e.Eligible) + len(e.Waiting)
				}
			}
		}
	}
	require.Equal(t, r.Keys(), keys)
	require.Equal(t, 100, ads, "each ad stands in the explanation of its key")
}

func TestExplainAKeyWithoutCampaigns(t *testing.T) {
	t.Parallel()
	e := explain(t, decode(t, document()), "UK", "zzz", time.Unix(0, 0))
	require.Empty(t, e.Key)
	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{"country":"gb","lang":"zzz","lang_aliases":["zzz"],"at":"1970-01-01T00:00:00Z","key":"",
		"eligible":[],"cycle":[],"waiting":[],"rejected":[],"rejected_more":0}`, string(text))
	require.Equal(t, "country gb, lang zzz (zzz), 1970-01-01 00:00 UTC\nno campaign has this key: 404 no_ad_available\n", e.String())
}

func TestExplainRefusesWhatARequestMayNotAsk(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ country, lang, want string }{
		"no country":        {"", "eng", "country is missing"},
		"no lang":           {"us", "", "lang is missing"},
		"neither":           {"", "", "country is missing\nlang is missing"},
		"a long country":    {"usa", "eng", `country must be 2 ASCII letters, is "usa"`},
		"a long lang":       {"us", "engl", `lang must be 2 or 3 ASCII letters, is "engl"`},
		"both wrong":        {"u5", "*", "country must be 2 ASCII letters, is \"u5\"\nlang must be 2 or 3 ASCII letters, is \"*\""},
		"not even printing": {"u\x00", "eng", `country must be 2 ASCII letters, is "u\x00"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := compile.Explain(fewAds(t), tc.country, tc.lang, time.Unix(0, 0))
			require.EqualError(t, err, tc.want)
			require.Zero(t, e)
		})
	}
}

func TestExplainRefusesTimesThatHaveNoText(t *testing.T) {
	t.Parallel()
	west, east := time.FixedZone("", -5*60*60), time.FixedZone("", 5*60*60)
	for at, want := range map[time.Time]bool{
		time.Date(9999, 12, 31, 18, 59, 0, 0, west): true, time.Date(9999, 12, 31, 19, 0, 0, 0, west): false,
		time.Date(0, 1, 1, 5, 0, 0, 0, east): true, time.Date(0, 1, 1, 4, 59, 0, 0, east): false,
	} {
		e, err := compile.Explain(fewAds(t), "us", "eng", at)
		if !want {
			require.EqualError(t, err, "at must be in the years 0000 to 9999 of UTC")
			continue
		}
		require.NoError(t, err)
		_, err = json.Marshal(e)
		require.NoError(t, err)
	}
}

func TestExplanationText(t *testing.T) {
	t.Parallel()
	doc := fewAds(t)
	const want = `country fr, lang fra (fr fra fre), 2026-12-31 23:30 UTC
key fr/fra answers, ads eligible: 2

TURN  ID     HOURS    URL
1     day    all day  https://v/day?a=1&b="q"<é>
2     night  22-02    https://v/night?a=1&b="q"<é>

WAITING  HOURS  REASON        NEXT
morning  06-12  out_of_hours  2027-01-01 06:00 UTC

REJECTED  LINE  ID        REASON     DETAIL
ad 5      6     day       duplicate  duplicate id: ad 2 has this id already
ad 6      7     late      invalid    out_of_range end_hour: must be from 0 to 24, is 25
ad 7      8     anywhere  invalid    invalid_country country: must be 2 ASCII letters, is "fra"
ad 8      9     anything  invalid    invalid_lang lang: must be 2 or 3 ASCII letters, is "french"
`
	e := explain(t, doc, "fr", "fr", time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC))
	require.Equal(t, want, e.String())

	none := explain(t, decode(t, document(adJSON("a", "us", "eng", 1, 2))), "us", "en", time.Unix(0, 0))
	require.Contains(t, none.String(), "key us/eng answers, no ad is eligible: 404 no_ad_available\n")
}

func TestExplainCountsRejectedAdsThatAreNotDescribed(t *testing.T) {
	t.Parallel()
	bad := adJSON("late", "us", "eng", 1, 25)
	var ads []string
	for range campaign.MaxRejects {
		ads = append(ads, bad)
	}
	whole := explain(t, decode(t, document(ads...)), "us", "en", time.Unix(0, 0))
	require.Zero(t, whole.RejectedMore)
	require.NotContains(t, whole.String(), "more rejected ads")

	more := explain(t, decode(t, document(append(ads, bad, "7")...)), "us", "en", time.Unix(0, 0))
	require.Equal(t, 2, more.RejectedMore)
	require.Equal(t, whole.Rejected, more.Rejected)
	require.Contains(t, more.String(), "\nand 2 more rejected ads of the document, of this key or of others\n")
}

func TestExplanationTextReportsTheWriter(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, errors.Join(read.Close(), write.Close()))
	e := explain(t, fewAds(t), "fr", "fr", time.Unix(0, 0))
	require.ErrorIs(t, e.WriteText(write), os.ErrClosed)
}
