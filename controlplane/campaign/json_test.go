package campaign_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/zone"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes []string
		want    string
	}{
		"plain": {
			[]string{"country", `"UK"`, "lang", `"fr"`, "video_url", `"https:\/\/v/?a=1\u0026b=<\"\\>\u00e9"`},
			`{"id":"x","video_url":"https://v/?a=1&b=<\"\\>é","country":"gb","lang":"fra","start_hour":0,"end_hour":24}`,
		},
		"every default written out": {
			[]string{
				"name", `""`, "labels", `[]`, "enabled", `true`, "priority", `0`, "weight", `1`, "time_zone", `"UTC"`,
				"days", `["sun","mon","tue","wed","thu","fri","sat"]`,
			},
			`{"id":"x","video_url":"https://v/x","country":"us","lang":"eng","start_hour":0,"end_hour":24}`,
		},
		"every field": {
			[]string{
				"end_at", `"2027-03-02T00:00:00Z"`, "start_at", `"2027-03-01T08:00:00+01:00"`, "days", `["sun","mon"]`, "time_zone", `"Asia/Tokyo"`,
				"weight", `2`, "priority", `-1`, "enabled", `false`, "labels", `["b","a"]`, "name", `"n"`, "country", `"*"`, "lang", `"*"`,
			},
			`{"id":"x","video_url":"https://v/x","country":"*","lang":"*","start_hour":0,"end_hour":24,"name":"n","labels":["b","a"],` +
				`"enabled":false,"priority":-1,"weight":2,"time_zone":"Asia/Tokyo","days":["mon","sun"],` +
				`"start_at":"2027-03-01T07:00:00Z","end_at":"2027-03-02T00:00:00Z"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, errs := campaign.ParseOne([]byte(ad(tc.changes...)))
			require.Empty(t, errs)
			require.Equal(t, "before "+tc.want, string(campaign.AppendJSON([]byte("before "), &c)))
		})
	}
	byHand := campaign.Campaign{ID: "x", VideoURL: "https://v/x", Country: "us", Lang: "eng", EndHour: 24}
	require.Equal(t, tests["every default written out"].want, string(campaign.AppendJSON(nil, &byHand)), "a weight of 0 is 1")
}

var (
	texts = rapid.StringOf(rapid.RuneFrom([]rune(`ab "\</&é😀` + "\u2028\ufffd\u200d"))).
		Filter(func(s string) bool { return len(s) <= campaign.MaxLabelBytes })
	instants = rapid.OneOf(
		rapid.Int64Range(-3, 3), rapid.Int64Range(yearMinute(2020), yearMinute(2040)), rapid.Int64Range(yearMinute(0), yearMinute(10000)-1),
	)
	zoneNames = rapid.SampledFrom(append(zone.Names(), ""))
	campaigns = rapid.Custom(func(t *rapid.T) campaign.Campaign {
		c := campaign.Campaign{
			ID:        rapid.StringMatching(`[ -~]{1,128}`).Draw(t, "id"),
			VideoURL:  "https://v/" + texts.Draw(t, "url"),
			Country:   rapid.SampledFrom([]string{"us", "gb", "zz", campaign.Any}).Draw(t, "country"),
			Lang:      rapid.SampledFrom([]string{"eng", "fra", "zz", campaign.Any}).Draw(t, "lang"),
			StartHour: rapid.IntRange(0, campaign.MaxStartHour).Draw(t, "start"),
			EndHour:   rapid.IntRange(0, campaign.MaxEndHour).Draw(t, "end"),
			Name:      texts.Draw(t, "name"),
			Labels:    rapid.SliceOfNDistinct(texts.Filter(func(s string) bool { return s != "" }), 0, campaign.MaxLabels, rapid.ID).Draw(t, "labels"),
			Priority:  rapid.IntRange(campaign.MinPriority, campaign.MaxPriority).Draw(t, "priority"),
			Weight:    rapid.IntRange(campaign.MinWeight, campaign.MaxWeight).Draw(t, "weight"),
			TimeZone:  zoneNames.Draw(t, "zone"),
			Days:      campaign.Days(rapid.Uint8Range(0, 1<<7-2).Draw(t, "days")),
			Paused:    rapid.Bool().Draw(t, "paused"),
		}
		if len(c.Labels) == 0 {
			c.Labels = nil
		}
		if c.TimeZone == zone.UTC {
			c.TimeZone = ""
		}
		if rapid.Bool().Draw(t, "starts") {
			c.StartAt = campaign.At(instants.Draw(t, "start at"))
		}
		if rapid.Bool().Draw(t, "ends") {
			c.EndAt = campaign.At(instants.Draw(t, "end at"))
		}
		if from, until := c.Flight(); from >= until {
			c.EndAt = 0
		}
		return c
	})
)

func yearMinute(year int) int64 { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60 }

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := campaigns.Draw(t, "campaign")
		text := campaign.AppendJSON(nil, &c)
		require.True(t, json.Valid(text), "%s", text)
		require.LessOrEqual(t, len(text), campaign.MaxOneBytes)
		got, errs := campaign.ParseOne(text)
		require.Empty(t, errs, "%s", text)
		require.Equal(t, c, got)
		doc, err := campaign.Decode(append(append([]byte(`{"ads":[`), text...), `]}`...))
		require.NoError(t, err)
		require.Equal(t, []campaign.Campaign{c}, doc.Campaigns)
	})
}

func FuzzParseOne(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, ad(), ad("x", `1`), ad("\\ud800", `1`), ad() + ` x`, ad("name", `"\ud83d\ude00"`, "labels", `["a", "b" ]`, "enabled", `false`),
		ad("priority", `-0`, "weight", `100`, "time_zone", `"Europe/Berlin"`, "days", `["mon","sun"]`), ad("time_zone", `"../x"`), ad("labels", `[]`),
		ad("start_at", `"2027-03-01T08:00:00.000+01:00"`, "end_at", `"2027-03-01T08:00:00Z"`), ad("start_at", `"0000-01-01T00:00:00+01:00"`),
		ad("start_at", `"1970-01-01T00:00:00Z"`, "end_at", `"9999-12-31T23:59:00Z"`), ad("days", `["mon",["tue"]]`), ad("country", `"*"`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		c, errs := campaign.ParseOne(data)
		require.Equal(t, before, data)
		doc, err := campaign.Decode(append(append([]byte(`{"ads":[`), data...), `]}`...))
		if len(errs) > 0 {
			require.Zero(t, c)
			requireFieldErrors(t, errs)
			onlyUnknown := errs[0].Reason == campaign.ReasonUnknownField
			require.False(t, !onlyUnknown && err == nil && len(doc.Campaigns) == 1 && doc.Rejected == 0 && json.Valid(data), "%v", errs)
			return
		}
		require.NoError(t, err)
		require.Equal(t, []campaign.Campaign{c}, doc.Campaigns, "a document takes what the API takes")
		again, errs := campaign.ParseOne(campaign.AppendJSON(nil, &c))
		require.Empty(t, errs)
		require.Equal(t, c, again)
	})
}

func requireFieldErrors(t *testing.T, errs []campaign.FieldError) {
	t.Helper()
	reasons := append(campaign.Reasons(), campaign.ReasonMalformed, campaign.ReasonUnknownField)
	seen := make(map[string]bool)
	for _, e := range errs {
		require.Contains(t, reasons, e.Reason)
		require.NotEmpty(t, e.Message)
		require.Less(t, len(e.Field)+len(e.Message), 1000)
		require.Equal(t, strings.ToValidUTF8(e.Error(), ""), e.Error())
		require.False(t, seen[e.Field], e.Field)
		seen[e.Field] = true
	}
}
