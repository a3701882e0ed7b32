package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/fleet"
)

func TestAFleetDocumentHas10000AdsAndNoneOfAnotherRevision(t *testing.T) {
	ids := regexp.MustCompile(`"id":"([^"]+)"`)
	seen := map[string]bool{}
	for revision := range uint32(2) {
		data := fleetDocument(revision)
		var document struct {
			Ads []struct {
				ID string `json:"id"`
			} `json:"ads"`
		}
		require.NoError(t, json.Unmarshal(data, &document))
		require.Len(t, document.Ads, fleetAds)
		for _, ad := range document.Ads {
			seen[ad.ID] = true
		}
		require.Len(t, ids.FindAll(data, -1), fleetAds)
		require.False(t, bytes.Equal(data, fleetDocument(revision+1)))
	}
	require.Len(t, seen, 2*fleetAds)
}

func TestFleetStatusCountsWhoIsInSync(t *testing.T) {
	var s fleetStatus
	require.NoError(t, json.Unmarshal([]byte(`{"xds":{
		"types":[{"type":"lds","offered":{"version":"l","acknowledged":9}},{"type":"ecds","offered":{"version":"v2","acknowledged":1}}],
		"envoys":[
			{"connected":true,"types":[{"type":"lds","in_sync":true},{"type":"cds","in_sync":true},{"type":"ecds","in_sync":true,"sent":"v2"}]},
			{"connected":true,"types":[{"type":"lds","in_sync":true},{"type":"cds","in_sync":true},{"type":"ecds","in_sync":false,"sent":"v2"}]},
			{"connected":true,"types":[{"type":"lds","in_sync":true,"sent":"v2"},{"type":"cds","in_sync":true}]},
			{"connected":false,"types":[{"type":"lds","in_sync":true},{"type":"cds","in_sync":true},{"type":"ecds","in_sync":true,"sent":"v2"}]}
		]}}`), &s))
	require.Equal(t, fleetOffer{Version: "v2", Acknowledged: 1}, s.index())
	require.Equal(t, 3, s.connected())
	require.Equal(t, 1, s.inSync())
	require.Equal(t, 2, s.sent("v2"))
	require.Equal(t, fleetOffer{}, new(fleetStatus).index(), "before there is one")
}

func TestAFleetHasAcknowledgedWhenAllGotTheSame(t *testing.T) {
	at := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	ack := func(id, version string, digest uint64, after time.Duration) fleet.Acknowledged {
		return fleet.Acknowledged{ID: id, Version: version, Bytes: 1, Digest: digest, At: at.Add(after)}
	}
	for name, c := range map[string]struct {
		acks []fleet.Acknowledged
		err  string
	}{
		"all of them":             {acks: []fleet.Acknowledged{ack("a", "v2", 1, 2), ack("b", "v2", 1, 1)}},
		"one got other bytes":     {acks: []fleet.Acknowledged{ack("a", "v2", 1, 2), ack("b", "v2", 2, 1)}, err: "other 1 bytes"},
		"one got another version": {acks: []fleet.Acknowledged{ack("a", "v3", 1, 2), ack("b", "v2", 1, 1)}, err: "version v3"},
		"one has the old one still": {
			acks: []fleet.Acknowledged{ack("a", "v1", 1, 0), ack("a", "v2", 1, 2), ack("b", "v1", 1, 1), ack("b", "v2", 1, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFleetGroup("x", "", 2, false)
			for _, one := range c.acks {
				g.acks <- one
			}
			times, last, err := g.acknowledged(t.Context(), "v1")
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []time.Time{at.Add(1), at.Add(2)}, times)
			require.Equal(t, "v2", last.Version)
		})
	}
}

func TestAFleetThatDoesNotAnswerIsAnError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	g := newFleetGroup("x", "", 2, false)
	g.acks <- fleet.Acknowledged{ID: "x-0000", Version: "v1"}
	_, _, err := g.acknowledged(ctx, "")
	require.ErrorContains(t, err, "1 of 2 Envoys")
}

func TestFleetResultHoldsTheTargets(t *testing.T) {
	var rows [fleetRows][]fleetFigures
	for row := range rows {
		for _, ms := range []time.Duration{1000, 2000, 4000} {
			rows[row] = append(rows[row], fleetFigures{
				first: time.Millisecond, half: time.Millisecond, last: ms * time.Millisecond, counted: true, bytes: 2 << 20, peak: int64(row+100) << 20,
			})
		}
	}
	r := fleetResult(rows, nil)
	require.Len(t, r.Tables, 1)
	for _, row := range r.Tables[0].Rows {
		require.Len(t, row.Cells, len(r.Tables[0].Columns), row.Name)
	}
	require.Empty(t, r.Tables[0].Rows[fleetSlow].Cells[2], "slow ones never get it")
	require.InDelta(t, 2, r.Targets[0].Cell.Median(), 1e-9, "seconds")
	require.True(t, r.Targets[0].Met())
	require.InDelta(t, 100+fleetSlow, r.Targets[1].Cell.Median(), 1e-9, "the greatest of all rows, in MiB")
	require.Contains(t, r.Tables[0].Note, "2.00 MiB")
	require.Contains(t, r.Tables[0].Note, "1.00 times as long")
	require.NotContains(t, r.Tables[0].Note, "cut off")
	require.Contains(t, fleetResult(rows, []float64{50}).Tables[0].Note, "cut off 50 s")
}
