package plugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/adindex"
)

// windows is an index whose windows have edges: 1 to 14 o'clock, 22 to 2 on Fridays, and a flight over the absolute clock.
func windows(t *testing.T) []byte {
	t.Helper()
	const friday = 4 * 1440
	never := schedule{clock: adindex.Week, segments: []segment{{0, nil}}}
	return buildIndex(
		t,
		entry{"us/eng", nil, hours(1, 14, "day")},
		entry{"us/fri", nil, schedule{clock: adindex.Week, segments: []segment{{0, nil}, {friday + 22*60, []string{"night"}}, {friday + 26*60, nil}}}},
		entry{"us/fly", nil, schedule{
			clock: adindex.Absolute, base: epoch.Unix() / 60, minutes: 2880, after: &never,
			segments: []segment{{0, []string{"before"}}, {90, []string{"flight"}}, {2000, nil}},
		}},
	)
}

var clockCases = map[string]struct {
	at    string
	query string
	ad    string // "" is 404
}{
	"a second before the window":           {"2022-01-01T00:59:59.999Z", "country=us&lang=eng", ""},
	"the window's first second":            {"2022-01-01T01:00:00Z", "country=us&lang=eng", "day"},
	"the window's last second":             {"2022-01-01T13:59:59.999Z", "country=us&lang=eng", "day"},
	"the second after the window":          {"2022-01-01T14:00:00Z", "country=us&lang=eng", ""},
	"the last second of a day":             {"2021-12-31T23:59:59.999Z", "country=us&lang=eng", ""},
	"the window in another year":           {"2038-01-19T03:14:08Z", "country=us&lang=eng", "day"},
	"a second before the window of a week": {"2021-12-31T21:59:59Z", "country=us&lang=fri", ""},
	"the first second of it":               {"2021-12-31T22:00:00Z", "country=us&lang=fri", "night"},
	"over midnight":                        {"2022-01-01T00:00:00Z", "country=us&lang=fri", "night"},
	"its last second":                      {"2022-01-01T01:59:59Z", "country=us&lang=fri", "night"},
	"the second after it":                  {"2022-01-01T02:00:00Z", "country=us&lang=fri", ""},
	"the same hour of another day":         {"2021-12-30T23:00:00Z", "country=us&lang=fri", ""},
	"a week later":                         {"2022-01-07T22:00:00Z", "country=us&lang=fri", "night"},
	"before the horizon, its first minute": {"2021-01-01T12:00:00Z", "country=us&lang=fly", "before"},
	"a second before the flight":           {"2022-01-01T01:29:59Z", "country=us&lang=fly", "before"},
	"the flight's first second":            {"2022-01-01T01:30:00Z", "country=us&lang=fly", "flight"},
	"the flight's last second":             {"2022-01-02T09:19:59Z", "country=us&lang=fly", "flight"},
	"the second after the flight":          {"2022-01-02T09:20:00Z", "country=us&lang=fly", ""},
	"after the horizon, the week after it": {"2022-01-03T00:00:00Z", "country=us&lang=fly", ""},
}

func TestTheClockIsReadAtTheRequest(t *testing.T) {
	onEach(t, func(t *testing.T, w *worker) {
		require.True(t, w.push(windows(t)))
		for name, tc := range clockCases {
			t.Run(name, func(t *testing.T) {
				at, err := time.Parse(time.RFC3339, tc.at)
				require.NoError(t, err)
				w.setClock(at)
				requireAd(t, tc.ad, request(t, w, "GET", "/ad_request?"+tc.query))
			})
		}
	})
}

func requireAd(t *testing.T, ad string, r *reply) {
	t.Helper()
	if ad == "" {
		require.EqualValues(t, 404, r.status, r.body)
		return
	}
	require.EqualValues(t, 200, r.status, r.body)
	require.Equal(t, body(ad), r.body)
}

func TestANewSegmentTakesThePositionModItsLength(t *testing.T) {
	onEach(t, func(t *testing.T, w *worker) {
		require.True(t, w.push(buildIndex(t, entry{"us/eng", nil, schedule{clock: adindex.Day, segments: []segment{
			{0, []string{"0", "1", "2", "3"}}, {60, nil}, {120, []string{"0", "1", "2"}}, {180, []string{"0", "1", "2", "3"}},
		}}})))
		serveUntil(t, w, "2")
		w.setClock(epoch.Add(time.Hour))
		require.EqualValues(t, 404, request(t, w, "GET", usEng).status)
		w.setClock(epoch.Add(2 * time.Hour))
		require.Equal(t, []string{body("0"), body("1")}, serve(t, w, 2)) // 3 mod 3
		w.setClock(epoch.Add(3 * time.Hour))
		require.Equal(t, []string{body("2"), body("3")}, serve(t, w, 2))
	})
}
