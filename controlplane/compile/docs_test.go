package compile_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
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
	require.Len(t, examples, 6)
	rows := 0
	for _, example := range examples {
		text, rest, ok := strings.Cut(example, "```\n")
		require.True(t, ok)
		doc, err := campaign.Decode([]byte(text))
		require.NoError(t, err)
		require.Empty(t, doc.Rejects)
		if _, more, ok := strings.Cut(rest, "```json operators\n"); ok {
			doc = underOperators(t, doc, more[:strings.Index(more, "```")])
		}
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
	require.Equal(t, 32, rows)
}

// underOperators lays what operators say over a source's document: by id a campaign, or null for a pause.
func underOperators(t *testing.T, source *campaign.Document, text string) *campaign.Document {
	t.Helper()
	var said map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &said))
	rows := map[string][]byte{}
	for id, row := range said {
		if rows[id] = row; string(row) == "null" {
			rows[id] = nil
		}
	}
	effective := new(campaign.Overlay).Apply(source, maps.All(rows))
	require.Empty(t, effective.Unreadable)
	return effective.Document
}

// Every reason for which a campaign is not served stands on the page.
func TestTheCampaignsPageHasAllReasons(t *testing.T) {
	page, err := os.ReadFile("../../docs/CAMPAIGNS.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(page), "## Why a campaign is not served")
	require.True(t, ok)
	reasons := 0
	for _, file := range []string{"explain.go", "../campaign/reject.go"} {
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, reason := range regexp.MustCompile(`(?m)^\tReason\w+ += "(\w+)"`).FindAllStringSubmatch(string(code), -1) {
			if reason[1] == campaign.ReasonMalformed || reason[1] == campaign.ReasonUnknownField {
				continue // of an operator's import alone, where it stands with the row
			}
			reasons++
			require.Contains(t, table, "`"+reason[1]+"`")
		}
	}
	require.Greater(t, reasons, 20)
}
