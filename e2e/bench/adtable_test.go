package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/workload"
)

const smallDocument = `{"ads":[
{"id":"b","video_url":"u2","country":"us","lang":"eng","start_hour":22,"end_hour":2},
{"id":"a","video_url":"u1","country":"us","lang":"eng","start_hour":0,"end_hour":24},
{"id":"c","video_url":"u3","country":"ca","lang":"fra","start_hour":9,"end_hour":10}
]}`

func TestTheTableHasTheAnswersOfEachHourInOrderOfTheirIDs(t *testing.T) {
	table, err := tableOf([]byte(smallDocument))
	require.NoError(t, err)
	us, ca := workload.Key{Country: "us", Lang: "eng"}, workload.Key{Country: "ca", Lang: "fra"}
	a, b := `{"id":"a","url":"u1","videoUrl":"u1"}`, `{"id":"b","url":"u2","videoUrl":"u2"}`
	require.Equal(t, []string{a, b}, table.cycle(us, 23))
	require.Equal(t, []string{a, b}, table.cycle(us, 1))
	require.Equal(t, []string{a}, table.cycle(us, 2))
	require.Equal(t, []string{`{"id":"c","url":"u3","videoUrl":"u3"}`}, table.cycle(ca, 9))
	require.Empty(t, table.cycle(ca, 10))
	require.Empty(t, table.cycle(workload.Key{Country: "zz", Lang: "eng"}, 0))

	file := filepath.Join(t.TempDir(), "ads.tsv")
	require.NoError(t, table.write(file))
	back, err := readTable(file)
	require.NoError(t, err)
	require.Equal(t, table, back)
}

func TestHoursFollowTheRuleOfADocument(t *testing.T) {
	for name, c := range map[string]struct {
		start, end int
		want       string
	}{
		"the end is not in it":         {1, 3, "011000000000000000000000"},
		"equal ones are the whole day": {7, 7, "111111111111111111111111"},
		"across midnight":              {22, 1, "100000000000000000000011"},
		"until midnight":               {22, 0, "000000000000000000000011"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, hoursOf(c.start, c.end)) })
	}
}

func TestADocumentOfTheFirstKeysHasNoOthers(t *testing.T) {
	document := workload.Document(workload.Config{Seed: 1, Always: true})
	table, err := tableOf(firstKeys(document, 3))
	require.NoError(t, err)
	require.Len(t, table, 3)
	for _, key := range workload.AllKeys(1)[:3] {
		require.Len(t, table.cycle(key, 12), 1)
	}
}
