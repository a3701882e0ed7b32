package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

func TestCoverage(t *testing.T) {
	h := start(t, nil)
	h.publisher.setSource(t, `{"ads":[
	 {"id":"a","video_url":"https://v.example/a","country":"us","lang":"eng","start_hour":0,"end_hour":24},
	 {"id":"b","video_url":"https://v.example/b","country":"de","lang":"ger","start_hour":6,"end_hour":12},
	 {"id":"c","video_url":"https://v.example/c","country":"fr","lang":"fre","start_hour":0,"end_hour":24,"end_at":"2027-03-02T00:05:00Z"}]}`)
	page := get[apiv1.CoveragePage](t, h, "/coverage?day=2027-03-02&limit=2")
	require.Equal(t, 3, page.Total)
	require.Equal(t, apiv1.Coverage{Country: "fr", Lang: "fra", Quarters: "-" + strings.Repeat("0", 95), Without: 1435}, page.Items[0])
	require.Equal(t, apiv1.Coverage{
		Country: "de", Lang: "deu", Quarters: strings.Repeat("0", 24) + strings.Repeat("1", 24) + strings.Repeat("0", 48), Without: 18 * 60,
	}, page.Items[1])
	page = get[apiv1.CoveragePage](t, h, "/coverage?day=2027-03-02&limit=2&cursor="+page.Next)
	require.Equal(t, []apiv1.Coverage{{Country: "us", Lang: "eng", Quarters: strings.Repeat("1", 96)}}, page.Items)
	require.Empty(t, page.Next)
	require.Zero(t, get[apiv1.CoveragePage](t, h, "/coverage").Items[1].Without, "today all of fr is covered")
	for _, day := range []string{"2027-02-27", "2027-03-15", "soon", "2027-03-01T00:00:00Z"} {
		h.must(t, 400, request{method: "GET", path: "/coverage?day=" + day, lax: true})
	}
	h.must(t, 400, request{method: "GET", path: "/coverage?cursor=" + cursorOf("{"), lax: true})
}

// 20,000 keys are looked at in a time that a page may take.
func TestCoverageOf20000Keys(t *testing.T) {
	h := start(t, nil)
	var ads []string
	for n := range 20_000 {
		ads = append(ads, fmt.Sprintf(`{"id":"%d","video_url":"https://v.example/v","country":"%c%c","lang":"%c%cx","start_hour":%d,"end_hour":%d}`,
			n, 'a'+n%26, 'a'+n/26%26, 'a'+n/676%26, 'a'+n/17576, n%24, (n+9)%24))
	}
	document := `{"ads":[` + strings.Join(ads, ",") + `]}`
	h.publisher.setSource(t, document)
	began := time.Now()
	page := get[apiv1.CoveragePage](t, h, "/coverage?limit=1000")
	t.Logf("first page of %d keys in %v", page.Total, time.Since(began))
	require.Greater(t, page.Total, 19_900, "some of the codes are one language")
	began = time.Now()
	require.Len(t, get[apiv1.CoveragePage](t, h, "/coverage?limit=1000&cursor="+page.Next).Items, 1000)
	t.Logf("second page in %v", time.Since(began))
	a := get[apiv1.Page[apiv1.Version]](t, h, "/versions").Items[0].Version
	h.publisher.setSource(t, strings.Replace(document, `"start_hour":3,`, `"start_hour":4,`, 1))
	b := get[apiv1.Page[apiv1.Version]](t, h, "/versions").Items[0].Version
	began = time.Now()
	require.Equal(t, 1, get[apiv1.Diff](t, h, "/versions/"+a+"/diff/"+b).Keys)
	t.Logf("diff of two versions in %v", time.Since(began))
}

func TestCoverageOfSomeKeys(t *testing.T) {
	h := start(t, nil)
	h.publisher.setSource(t, `{"ads":[
	 {"id":"a","video_url":"https://v.example/a","country":"us","lang":"eng","start_hour":0,"end_hour":24},
	 {"id":"b","video_url":"https://v.example/b","country":"gb","lang":"ger","start_hour":6,"end_hour":12},
	 {"id":"c","video_url":"https://v.example/c","country":"fr","lang":"ger","start_hour":0,"end_hour":24,"end_at":"2027-03-02T00:00:00Z"},
	 {"id":"d","video_url":"https://v.example/d","country":"*","lang":"ita","start_hour":0,"end_hour":24}]}`)
	for query, want := range map[string]struct {
		keys           []string
		allDay, inPart int
	}{
		"":                       {[]string{"fr/deu", "gb/deu", "*/ita", "us/eng"}, 1, 1},
		"country=UK":             {[]string{"gb/deu"}, 0, 1},
		"lang=de":                {[]string{"fr/deu", "gb/deu"}, 1, 1},
		"lang=GER&country=fr":    {[]string{"fr/deu"}, 1, 0},
		"country=*":              {[]string{"*/ita"}, 0, 0},
		"lang=*":                 {nil, 0, 0},
		"country=us&lang=fr":     {nil, 0, 0},
		"lang=de&published=true": {[]string{"fr/deu", "gb/deu"}, 1, 1},
	} {
		t.Run(query, func(t *testing.T) {
			var keys []string
			path := "/coverage?day=2027-03-02&limit=1&" + query
			for cursor := ""; ; {
				page := get[apiv1.CoveragePage](t, h, path+"&cursor="+cursor)
				require.Equal(t, []int{len(want.keys), want.allDay, want.inPart}, []int{page.Total, page.AllDay, page.InPart})
				for _, k := range page.Items {
					keys = append(keys, k.Country+"/"+k.Lang)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			require.Equal(t, want.keys, keys)
		})
	}
	for _, query := range []string{"country=usa", "lang=e1", "published=perhaps", "country=us&country=fr"} {
		h.must(t, 400, request{method: "GET", path: "/coverage?" + query, lax: true})
	}
}

// A pin keeps an index that is not the candidate: coverage and answers of what is published are of that one.
func TestWhatIsPublishedIsNotTheCandidate(t *testing.T) {
	h := start(t, nil)
	asked := "?country=us&lang=en&at=2027-03-01T10:00:00Z"
	cycle := func(s apiv1.Served) (ids []string) {
		for _, place := range s.Cycle {
			ids = append(ids, s.Ads[place].ID)
		}
		return ids
	}
	old := *h.publisher.Status().Index
	before := get[apiv1.Served](t, h, "/served"+asked)
	require.Equal(t, apiv1.Served{
		Version: old.Version, Country: "us", Lang: "eng", At: time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC), Key: "us/eng", Cycle: []int{0, 1},
		Ads: []apiv1.ServedAd{{ID: "s1", VideoURL: "https://v.example/s1"}, {ID: "s2", VideoURL: "https://v.example/s2"}},
	}, before)
	h.publisher.setSource(t, `{"ads":[`+plain("new", `,"weight":2`)+`]}`)
	newest := *h.publisher.Status().Index
	require.Equal(t, []string{"new"}, cycle(get[apiv1.Served](t, h, "/served"+asked)))

	h.publisher.locked(func() { h.publisher.status.Index = &old })
	require.Equal(t, before, get[apiv1.Served](t, h, "/served"+asked))
	require.Equal(t, before, get[apiv1.Served](t, h, "/served"+asked), "the second time from memory")
	require.Zero(t, get[apiv1.CoveragePage](t, h, "/coverage?country=gb").Total)
	pinned := get[apiv1.CoveragePage](t, h, "/coverage?country=gb&published=true")
	require.Equal(t, 1, pinned.Total)
	require.Equal(t, apiv1.Basis{Version: old.Version}, pinned.Basis)

	h.publisher.locked(func() { h.publisher.status.Index = &newest })
	require.Equal(t, newest.Version, get[apiv1.Served](t, h, "/served"+asked).Version)
	require.Empty(t, get[apiv1.Served](t, h, "/served?country=xx&lang=eng").Cycle)
	lost := newest
	lost.Version = "lost"
	h.publisher.locked(func() { h.publisher.status.Index = &lost })
	require.Equal(t, "version_not_found", codeOf(t, h.must(t, 404, request{method: "GET", path: "/served" + asked})))
	h.publisher.locked(func() { h.publisher.status.Index = nil })
	require.Equal(t, "nothing_published", codeOf(t, h.must(t, 404, request{method: "GET", path: "/served" + asked})))
	for _, query := range []string{"", "country=us", "country=us&lang=eng&at=today", "country=*&lang=eng", "country=us&lang=eng&x=1"} {
		h.must(t, 400, request{method: "GET", path: "/served?" + query, lax: true})
	}
}

// Coverage walks the stretches of an index; minute by minute it is the same.
func TestCoverageIsThatOfEachMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ads := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			extra := ""
			if rapid.Bool().Draw(t, "flight") {
				minute := func(name string) string {
					return monday.Add(time.Duration(rapid.IntRange(-2000, 4000).Draw(t, name)) * time.Minute).Format("2006-01-02T15:04:00Z")
				}
				extra = fmt.Sprintf(`,"start_at":%q`, minute("start"))
			}
			if rapid.Bool().Draw(t, "days") {
				extra += `,"days":["mon","wed"]`
			}
			return fmt.Sprintf(`{"id":"a%d","video_url":"https://v.example/a","country":%q,"lang":%q,"start_hour":%d,"end_hour":%d%s}`,
				rapid.IntRange(0, 1_000_000).Draw(t, "id"), rapid.SampledFrom([]string{"us", "fr", "*"}).Draw(t, "country"),
				rapid.SampledFrom([]string{"eng", "fra"}).Draw(t, "lang"), rapid.IntRange(0, 23).Draw(t, "from"), rapid.IntRange(0, 24).Draw(t, "to"), extra)
		}), 1, 6).Draw(t, "ads")
		doc, err := campaign.Decode([]byte(`{"ads":[` + strings.Join(ads, ",") + `]}`))
		require.NoError(t, err)
		result, err := compile.Compile(doc, compile.Params{Now: monday})
		require.NoError(t, err)
		index, err := adindex.Open(result.Bytes)
		require.NoError(t, err)
		midnight := monday.Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(-1, 14).Draw(t, "day")).Unix()
		list, err := cover(t.Context(), index, midnight)
		require.NoError(t, err)
		require.Len(t, list, index.Cursors())
		for _, c := range list {
			key, ok := adindex.MakeKey(c.Country, c.Lang)
			require.True(t, ok)
			entry, ok := index.Find(key)
			require.True(t, ok)
			without := 0
			for quarter, shown := range c.Quarters {
				empty := 0
				for minute := range int64(15) {
					if index.CycleAt(entry, midnight+(int64(quarter)*15+minute)*60).Len() == 0 {
						empty++
					}
				}
				without += empty
				want := '-'
				switch empty {
				case 0:
					want = '1'
				case 15:
					want = '0'
				}
				require.Equal(t, string(want), string(shown), "%s quarter %d", key, quarter)
			}
			require.Equal(t, without, c.Without)
		}
	})
}

func TestCoverageOfDaysInTurn(t *testing.T) {
	h := start(t, nil)
	index := h.publisher.View().Index
	reader, err := adindex.Reopen(index.Bytes)
	require.NoError(t, err)
	s := &server{covers: covers{one: make(slots, 1)}}
	day := func(n int) *apiv1.Coverage {
		t.Helper()
		list, err := s.covered(t.Context(), index.Version, reader, monday.Truncate(24*time.Hour).AddDate(0, 0, n))
		require.NoError(t, err)
		return &list[0]
	}
	first, second := day(0), day(1)
	require.Same(t, first, day(0))
	require.Same(t, second, day(1))
	for n := range maxCovers {
		day(2 + n)
	}
	require.Len(t, s.covers.days, maxCovers)
	require.NotSame(t, first, day(0), "the oldest one made room")

	ended, end := context.WithCancel(t.Context())
	end()
	_, err = s.covered(ended, index.Version, reader, monday.AddDate(0, 0, 9))
	require.Error(t, err, "nobody waits for it any more")
	left, err := cover(ended, reader, monday.Unix())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, left[0], "nothing was looked at")
	require.False(t, slices.ContainsFunc(s.covers.days, func(d dayCoverage) bool { return d.list == nil }))
	require.NoError(t, s.covers.one.enter(), "somebody finds out another day")
	_, err = s.covered(ended, index.Version, reader, monday.AddDate(0, 0, 10))
	require.ErrorIs(t, err, errBusy)
}
