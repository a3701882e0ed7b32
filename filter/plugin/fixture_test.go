package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// epoch is the first clock of every worker, a Saturday.
var epoch = time.Date(2022, time.January, 1, 0, 0, 0, 0, time.UTC)

// sourceTime is the source time of every index of these tests that does not say otherwise.
const sourceTime = 1_640_995_200

// entry is the ads of one pair of country and language, "us/eng", under that name and its aliases.
type entry struct {
	key     string
	aliases []string
	schedule
}

// schedule is adindex.Schedule with ads in place of references.
type schedule struct {
	clock    adindex.Clock
	segments []segment
	base     int64
	minutes  uint32
	after    *schedule
}

type segment struct {
	start uint32
	ads   []string
}

// allDay is the schedule of a key with the same ads at all times.
func allDay(ads ...string) schedule {
	return schedule{clock: adindex.Day, segments: []segment{{0, ads}}}
}

// hours is the schedule of a window of whole hours that does not wrap.
func hours(from, to uint32, ads ...string) schedule {
	s := schedule{clock: adindex.Day}
	if from > 0 {
		s.segments = append(s.segments, segment{0, nil})
	}
	s.segments = append(s.segments, segment{from * 60, ads})
	if to < 24 {
		s.segments = append(s.segments, segment{to * 60, nil})
	}
	return s
}

// buildIndex builds an index by hand.
func buildIndex(t *testing.T, entries ...entry) []byte {
	t.Helper()
	return buildIndexAt(t, sourceTime, entries...)
}

func buildIndexAt(t *testing.T, sourceTime int64, entries ...entry) []byte {
	t.Helper()
	b := adindex.NewBuilder()
	ads := map[string]adindex.AdRef{}
	for _, e := range entries {
		ref := e.add(t, b, ads)
		canonical := parseKey(t, e.key)
		for _, name := range append([]string{e.key}, e.aliases...) {
			require.NoError(t, b.AddKey(parseKey(t, name), canonical, ref))
		}
	}
	data, err := b.Build(sourceTime)
	require.NoError(t, err)
	return data
}

func (s *schedule) add(t *testing.T, b *adindex.Builder, ads map[string]adindex.AdRef) adindex.ScheduleRef {
	t.Helper()
	out := adindex.Schedule{Clock: s.clock, Base: s.base, Minutes: s.minutes}
	if s.after != nil {
		out.After = s.after.add(t, b, ads)
	}
	for _, segment := range s.segments {
		var refs []adindex.AdRef
		for _, id := range segment.ads {
			if _, ok := ads[id]; !ok {
				ads[id] = b.AddAd(held(t, id))
			}
			refs = append(refs, ads[id])
		}
		cycle, err := b.AddCycle(refs)
		require.NoError(t, err)
		out.Segments = append(out.Segments, adindex.Segment{Start: segment.start, Cycle: cycle})
	}
	ref, err := b.AddSchedule(out)
	require.NoError(t, err)
	return ref
}

func parseKey(t *testing.T, name string) adindex.Key {
	t.Helper()
	country, lang, _ := strings.Cut(name, "/")
	key, ok := adindex.MakeKey(country, lang)
	require.True(t, ok, name)
	return key
}

// awkwardURL has what HTML escaping and careless quoting break.
const awkwardURL = `https://v/x?a=1&b="q"<é>`

// held is an ad as the index holds it.
func held(t *testing.T, id string) []byte {
	t.Helper()
	ad, err := adrequest.AppendAd(nil, id, urlOf(id))
	require.NoError(t, err)
	return ad
}

// body is the body of the 200 for an ad. No id needs escapes.
func body(id string) string {
	url := strings.ReplaceAll(urlOf(id), `"`, `\"`)
	return `{"id":"` + id + `","url":"` + url + `","videoUrl":"` + url + `"}`
}

func urlOf(id string) string {
	if id == "J" {
		return awkwardURL
	}
	return "https://video.example/" + id + ".mp4"
}

// fixtures are the configurations that the table's rows are asked of.
var fixtures = map[string]func(t *testing.T) []byte{
	"no index": func(*testing.T) []byte { return nil },

	"no ads": func(t *testing.T) []byte {
		t.Helper()
		return buildIndex(t)
	},

	// The windows are as seen from hour 0, the hour of every worker's clock.
	"ads": func(t *testing.T) []byte {
		t.Helper()
		minute := epoch.Unix() / 60
		week := schedule{clock: adindex.Week, segments: []segment{{0, []string{"not yet"}}, {5 * 1440, []string{"saturday"}}, {5*1440 + 1, nil}}}
		return buildIndex(
			t,
			entry{"us/eng", []string{"us/en"}, hours(0, 24, "A1", "A2", "A3")},
			entry{"ca/fra", []string{"ca/fr", "ca/fre"}, hours(1, 2, "B")},
			entry{"mx/spa", nil, schedule{clock: adindex.Day, segments: []segment{{0, []string{"C"}}, {60, nil}, {120, []string{"C"}}}}},
			entry{"gb/eng", nil, allDay("D")},
			entry{"fr/fra", []string{"fr/fr", "fr/fre"}, allDay("E")},
			entry{"de/deu", nil, allDay("F")},
			entry{"jp/jpn", nil, allDay("J")},
			entry{"it/ita", nil, allDay("X1", "X2")},
			entry{"at/deu", nil, allDay("X1", "X2")},
			entry{"br/por", nil, allDay("H", "L", "H", "H")},
			// The four steps of the lookup.
			entry{"se/swe", nil, allDay("swede")},
			entry{"se/*", nil, allDay("sweden 1", "sweden 2")},
			entry{"*/swe", nil, allDay("swedish")},
			entry{"*/por", nil, allDay()},
			// The three clocks, each in its segment of this minute alone.
			entry{"ck/day", nil, schedule{clock: adindex.Day, segments: []segment{{0, []string{"midnight"}}, {1, nil}}}},
			entry{"ck/wee", nil, week},
			entry{"ck/abs", nil, schedule{
				clock: adindex.Absolute, base: minute - 2, minutes: 4, after: &week,
				segments: []segment{{0, nil}, {2, []string{"now"}}, {3, nil}},
			}},
			entry{"ck/aft", nil, schedule{
				clock: adindex.Absolute, base: minute - 2, minutes: 2, after: &week,
				segments: []segment{{0, []string{"over"}}},
			}},
			entry{"ck/bef", nil, schedule{
				clock: adindex.Absolute, base: minute + 9, minutes: 2, after: &week,
				segments: []segment{{0, []string{"first"}}, {1, nil}},
			}},
		)
	},

	// Beside "ads", which has no entry for all.
	"a house ad": func(t *testing.T) []byte {
		t.Helper()
		return buildIndex(
			t,
			entry{"us/eng", nil, allDay("A")},
			entry{"us/*", nil, allDay()},
			entry{"*/*", nil, allDay("house 1", "house 2")},
		)
	},
}
