package browser_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// manyKeys is a document with an ad for each of n pairs of country and language, at 1 to 23 hours of the day, but for bare not these days.
func manyKeys(n int, bare string) string {
	begins := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 5).Format(time.RFC3339)
	ads := make([]string, n)
	for i := range ads {
		// No country begins with u, as uk is another name of gb, and languages from qaa on are nobody's.
		first := "abcdefghijklmnopqrstvwxyz"[i/26%25]
		country, lang := string([]byte{first, 'a' + byte(i%26)}), string([]byte{'q', 'a' + byte(i/16900), 'a' + byte(i/650%26)})
		flight := ""
		if country+" / "+lang == bare {
			flight = fmt.Sprintf(`,"start_at":%q`, begins)
		}
		ads[i] = fmt.Sprintf(`{"id":"c%05d","video_url":"https://v.example/1","country":%q,"lang":%q,"start_hour":%d,"end_hour":%d%s}`,
			i, country, lang, i%24, (i%24+1+i%23)%24, flight)
	}
	return `{"ads":[` + strings.Join(ads, ",\n") + `]}`
}

// coveredRow is a row of the page: its key, and for how many quarters of an hour the picture shows no ad.
type coveredRow struct {
	Key  string
	None int
}

const coveredRows = `return [...document.querySelectorAll("table.coverage tbody tr")].map(row => ({
	Key: row.querySelector("th").innerText.trim(),
	None: [...row.querySelectorAll("rect.none")].reduce((sum, rect) => sum + rect.width.baseVal.value, 0),
}))`

// TestCoverageOf20000Keys: of 20,000 keys the page shows a bounded part, the worst first, and leads to the others: page by page and by country
// and language, on a phone as well.
func TestCoverageOf20000Keys(t *testing.T) {
	const keys, bare = 20_000, "kf / qat"
	// mostRows and mostElements are what a browser draws at once without effort; opens is for a machine that is busy with other things.
	const mostRows, mostElements, opens = 200, 10_000, 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	tools, err := stack.FindTools(ctx, stack.ToolsConfig{Progress: os.Stderr})
	require.NoError(t, err)
	programs, err := stack.Build(ctx, tools.Root)
	require.NoError(t, err)
	s, err := stack.Start(ctx, stack.Options{Tools: tools, Programs: programs, NoEnvoy: true, Campaigns: []byte(manyKeys(keys, bare))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.ControlPlane().WaitReady(ctx))
	t.Cleanup(func() { require.NoError(t, window.Open(context.Background(), "about:blank")) })
	_, err = window.Complaints(ctx)
	require.NoError(t, err)

	address := s.ControlPlane().URL + "/coverage"
	rows := func(t *testing.T) (all []coveredRow) {
		t.Helper()
		require.NoError(t, window.Run(ctx, coveredRows, &all))
		require.NotEmpty(t, all)
		require.LessOrEqual(t, len(all), mostRows)
		for i := range all[1:] {
			require.GreaterOrEqual(t, all[i].None, all[i+1].None, "the worst first: %v before %v", all[i], all[i+1])
		}
		return all
	}
	for _, width := range []int{1280, 360} {
		t.Run(fmt.Sprintf("%d pixels wide", width), func(t *testing.T) {
			fits := func() {
				t.Helper()
				var wide, elements int
				require.NoError(t, window.Run(ctx, "return document.documentElement.scrollWidth", &wide))
				require.LessOrEqual(t, wide, width, "the page is wider than the window")
				require.NoError(t, window.Run(ctx, "return document.querySelectorAll('*').length", &elements))
				require.LessOrEqual(t, elements, mostElements)
			}
			require.NoError(t, window.Look(ctx, width, false))
			began := time.Now()
			require.NoError(t, window.Open(ctx, address))
			shown(t, "main", "20,000 pairs")
			took := time.Since(began)
			require.Less(t, took, opens)
			first := rows(t)
			require.Equal(t, coveredRow{bare, 96}, first[0], "the one without an ad all day")
			fits()
			picture(t, fmt.Sprintf("coverage-20000-%d", width))

			began = time.Now()
			click(t, "nav.pages a[rel=next]")
			shown(t, "nav.pages", "First page")
			t.Logf("%d rows in %s, the next page in %s", len(first), took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			second := rows(t)
			require.GreaterOrEqual(t, first[len(first)-1].None, second[0].None, "it goes on where the first ended")
			seen := map[string]bool{}
			for _, row := range append(first, second...) {
				require.False(t, seen[row.Key], "%s twice", row.Key)
				seen[row.Key] = true
			}
			fits()

			require.NoError(t, window.Type(ctx, "form.filter [name=lang]", "qaz"))
			click(t, "form.filter .actions button")
			shown(t, "main", "650 pairs of country and language match")
			for _, row := range rows(t) {
				require.Regexp(t, "^[a-z]{2} / qaz$", row.Key)
			}
			require.NoError(t, window.Type(ctx, "form.filter [name=country]", bare[:2]))
			require.NoError(t, window.Type(ctx, "form.filter [name=lang]", bare[5:]))
			click(t, "form.filter .actions button")
			shown(t, "main", "1 pair of country and language matches")
			require.Equal(t, []coveredRow{{bare, 96}}, rows(t))
			fits()
		})
	}
	require.NoError(t, window.Look(ctx, 1280, false))
	uncomplaining(t)
}
