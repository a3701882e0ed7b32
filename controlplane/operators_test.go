package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/controlplane/revision"
	"adsidecar/envoy/gateway"
)

const plainDocument = `{"ads":[
{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":0,"end_hour":0},
{"id":"b","video_url":"https://v/b","country":"us","lang":"eng","start_hour":0,"end_hour":0}]}`

// offline is a configuration with a document, of which operators have paused one ad and replaced the other.
func offline(t *testing.T) *gateway.Config {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "campaigns.json"), []byte(plainDocument), 0o600))
	file := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
campaigns: {file: `+dir+`/campaigns.json, state_dir: `+dir+`/state}
issuers: [{issuer: https://idp.example.com, client_ids: [games]}]
`), 0o600))
	c, err := gateway.Load(file)
	require.NoError(t, err)
	return c
}

// change makes a revision, and leaves the store open until end.
func change(t *testing.T, c *gateway.Config) (end func() error) {
	t.Helper()
	service, end, err := openOperators(t.Context(), &c.Campaigns, nil, zap.NewNop())
	require.NoError(t, err)
	_, err = service.Apply(t.Context(), revision.ChangeSet{Who: "test", Kind: revision.Edit, Edits: []revision.RowEdit{
		{ID: "a", After: &revision.Row{}},
		{ID: "b", After: &revision.Row{Campaign: []byte(
			`{"id":"b","video_url":"https://v/own","country":"us","lang":"eng","start_hour":0,"end_hour":0}`)}},
	}})
	require.NoError(t, err)
	return end
}

func explainedText(t *testing.T, c *gateway.Config) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, explain(t.Context(), c, explainOptions{country: "us", lang: "en"}, strings.NewReader(""), &out))
	return out.String()
}

func TestExplainKnowsWhatOperatorsChanged(t *testing.T) {
	c := offline(t)
	require.NotContains(t, explainedText(t, c), "operators:", "they have said nothing")
	require.NoFileExists(t, c.Campaigns.OperatorsFile(), "explaining writes nothing")

	end := change(t, c)
	text := explainedText(t, c)
	require.Contains(t, text, "operators: their changes are left out, as they cannot be read here (--live asks the control plane)")
	require.Contains(t, text, "https://v/b")
	require.NoError(t, end())

	text = explainedText(t, c)
	require.Contains(t, text, "operators: their changes are in: 1 campaigns of theirs, 1 of the source's paused")
	require.Contains(t, text, "https://v/own")
	require.Contains(t, text, "overridden")
	require.Contains(t, text, "paused")
}

func TestAnIndexForABootstrapHasWhatOperatorsChanged(t *testing.T) {
	c := offline(t)
	before, err := presentIndex(t.Context(), c, io.Discard)
	require.NoError(t, err)
	end := change(t, c)
	_, err = presentIndex(t.Context(), c, io.Discard)
	require.ErrorContains(t, err, "another process has the file open", "an index without their pauses would be worse than none")
	require.NoError(t, end())
	after, err := presentIndex(t.Context(), c, io.Discard)
	require.NoError(t, err)
	require.Contains(t, string(before), "https://v/a")
	require.NotContains(t, string(after), "https://v/a")
	require.Contains(t, string(after), "https://v/own")
}

func TestInitOfAFileHasNothingToDo(t *testing.T) {
	c := offline(t)
	var out bytes.Buffer
	require.NoError(t, initOperators(t.Context(), &c.Campaigns, &out))
	require.Equal(t, "the file "+c.Campaigns.OperatorsFile()+" is made by serve: nothing to do\n", out.String())
	require.NoFileExists(t, c.Campaigns.OperatorsFile())
}

func TestWhenTheOperatorsStoreWasReadIsAMetric(t *testing.T) {
	metrics := prometheus.NewPedanticRegistry()
	service, end, err := openOperators(t.Context(), &offline(t).Campaigns, metrics, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, end()) }()
	read := func() float64 {
		families, err := metrics.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() == "adsidecar_operators_last_read_timestamp_seconds" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		require.FailNow(t, "there is no such metric")
		return 0
	}
	require.Zero(t, read(), "never")
	before := time.Now()
	require.NoError(t, service.Follow(t.Context()))
	require.InDelta(t, float64(before.UnixMilli())/1e3, read(), 30)
}
