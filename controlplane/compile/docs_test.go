package compile_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// The page for operators is true: each of its documents serves what the table behind it says, by the index and by Explain.
func TestTheCampaignsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/CAMPAIGNS.md")
	require.NoError(t, err)
	examples := strings.Split(string(page), "```json\n")[1:]
	require.Len(t, examples, 5)
	rows := 0
	for _, example := range examples {
		text, rest, ok := strings.Cut(example, "```\n")
		require.True(t, ok)
		doc, err := campaign.Decode([]byte(text))
		require.NoError(t, err)
		require.Empty(t, doc.Rejects)
		for line := range strings.SplitSeq(rest, "\n") {
			cells := strings.Split(line, " | ")
			at, err := time.Parse("| "+time.RFC3339, cells[0])
			if err != nil {
				continue // not a row
			}
			rows++
			require.Len(t, cells, 4, line)
			country, lang, ads := cells[1], cells[2], strings.TrimSuffix(strings.TrimSuffix(cells[3], "|"), " ")
			var want []string
			if ads != "" {
				want = strings.Split(ads, ", ")
			}
			_, index := compileDocument(t, doc, compile.Params{Now: at})
			require.Equal(t, want, cycle(t, index, country, lang, at), line)

			e, err := compile.Explain(doc, country, lang, at)
			require.NoError(t, err)
			var explained []string
			for _, place := range e.Cycle {
				explained = append(explained, e.Eligible[place].ID)
			}
			require.Equal(t, want, explained, line)
		}
	}
	require.Equal(t, 29, rows)
}
