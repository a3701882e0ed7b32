package campaign_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"ads":null}`, `{"ads":[]} `, `{"ads":[null,1,"x",[],{}]}`, "\ufeff" + `{"ads":[]}`,
		`{"ads":[` + ad() + `]}`, `{"ads":[` + ad() + `,` + ad() + `]}`, `{"x":` + nested(5) + `,"ads":[` + ad("x", nested(5)) + `]}`,
		`{"ads":[` + ad("video_url", `"https://v/\ud83d\ude00\u00e9\/\ud800"`) + `]}`,
		`{"ads":[` + ad("start_hour", `1e0`, "end_hour", `-0`, "ID", `{}`, "id", `"\\\""`) + `]`,
		`{"ads":[` + ad("\\u0069d", `"a"`) + "],\n\"a\\u0064s\":[]}", `{"ads":[` + ad("country", `"uk"`, "lang", `"FRE"`) + `]}`,
		`{"ads":[` + ad("country", `"*"`, "lang", `"*"`) + `,` + ad("id", `"y"`, "name", `"\u00e9"`, "labels", `["a","a"]`, "enabled", `false`) + `]}`,
		`{"ads":[` + ad("priority", `-0`, "weight", `100`, "time_zone", `"Asia/Tokyo"`, "days", `["mon"]`, "start_at", `"2027-03-01T08:00:00+01:00"`) + `]}`,
		`{"ads":[` + ad("start_at", `"0000-01-01T00:00:00+01:00"`, "end_at", `"9999-12-31T23:59:00.0Z"`, "days", `[]`, "time_zone", `"../x"`) + `]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := campaign.Decode(data)
		requireSameInParts(t, data, doc, err)
		reference, usable := referenceAds(data)
		if err != nil {
			var documentError *campaign.DocumentError
			require.ErrorAs(t, err, &documentError)
			lines := 1 + bytes.Count(data, []byte{'\n'})
			require.True(t, 1 <= documentError.Line && documentError.Line <= lines && documentError.Column >= 1, "%v", err)
			require.False(t, usable, "encoding/json reads it: %v", err)
			return
		}
		require.True(t, usable)
		require.Len(t, reference, len(doc.Campaigns)+doc.Rejected)
		require.Len(t, doc.Rejects, min(doc.Rejected, campaign.MaxRejects))
		seen := make(map[int]bool)
		ids := make(map[string]bool)
		for _, c := range doc.Campaigns {
			require.False(t, seen[c.Index] || ids[c.ID])
			seen[c.Index], ids[c.ID] = true, true
			requireValid(t, c)
			requireSameAd(t, reference[c.Index], c)
		}
		for _, r := range doc.Rejects {
			require.False(t, seen[r.Index])
			seen[r.Index] = true
			require.Contains(t, campaign.Reasons(), r.Reason)
			require.NotEmpty(t, r.Detail)
			require.True(t, utf8.ValidString(r.Detail))
		}
		total := 0
		for reason, n := range doc.Reasons {
			require.Contains(t, campaign.Reasons(), reason)
			total += n
		}
		require.Equal(t, doc.Rejected, total)
	})
}

// referenceAds reads the document with encoding/json alone. It is not usable if there is not exactly one "ads" array.
func referenceAds(data []byte) ([]json.RawMessage, bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var top map[string]json.RawMessage
	if json.Unmarshal(data, &top) != nil || countMembers(data, "ads") != 1 || top["ads"][0] != '[' {
		return nil, false
	}
	var ads []json.RawMessage
	return ads, json.Unmarshal(top["ads"], &ads) == nil
}

func countMembers(object []byte, name string) int {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return 0
	}
	n := 0
	for decoder.More() {
		key, err := decoder.Token()
		var value json.RawMessage
		if err = errors.Join(err, decoder.Decode(&value)); err != nil {
			return 0
		}
		if key == name {
			n++
		}
	}
	return n
}

func requireValid(t *testing.T, c campaign.Campaign) {
	t.Helper()
	require.Regexp(t, `^[ -~]{1,128}$`, c.ID)
	require.Regexp(t, `^(?i:https?)://[^[:cntrl:]]+$`, c.VideoURL)
	require.LessOrEqual(t, len(c.VideoURL), campaign.MaxURLBytes)
	require.Regexp(t, `^([a-z]{2}|\*)$`, c.Country)
	require.NotEqual(t, "uk", c.Country)
	require.Regexp(t, `^([a-z]{2,3}|\*)$`, c.Lang)
	require.Equal(t, c.Lang, campaign.CanonicalLang(c.Lang))
	require.True(t, 0 <= c.StartHour && c.StartHour <= 23 && 0 <= c.EndHour && c.EndHour <= 24)
}

func requireSameAd(t *testing.T, text json.RawMessage, c campaign.Campaign) {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &members))
	want := campaign.Campaign{
		Country: c.Country, Lang: c.Lang, Index: c.Index, Weight: 1,
		TimeZone: c.TimeZone, Days: c.Days, StartAt: c.StartAt, EndAt: c.EndAt,
	}
	for name, to := range map[string]any{
		"id": &want.ID, "video_url": &want.VideoURL, "start_hour": &want.StartHour, "end_hour": &want.EndHour,
	} {
		require.Equal(t, 1, countMembers(text, name))
		require.NoError(t, json.Unmarshal(members[name], to))
	}
	enabled, zoneName := true, "UTC"
	var startAt, endAt time.Time
	for name, to := range map[string]any{
		"name": &want.Name, "labels": &want.Labels, "enabled": &enabled, "priority": &want.Priority, "weight": &want.Weight,
		"time_zone": &zoneName, "start_at": &startAt, "end_at": &endAt,
	} {
		require.LessOrEqual(t, countMembers(text, name), 1)
		if member, ok := members[name]; ok {
			require.NoError(t, json.Unmarshal(member, to))
		}
	}
	want.Paused = !enabled
	want.Labels = firstsOf(want.Labels)
	require.Equal(t, want, c)
	require.Equal(t, zoneName, cmp.Or(c.TimeZone, "UTC"))
	requireSameInstant(t, members["start_at"], startAt, c.StartAt)
	requireSameInstant(t, members["end_at"], endAt, c.EndAt)
	if from, until := c.Flight(); c.StartAt != 0 && c.EndAt != 0 {
		require.Less(t, from, until)
	}
}

// firstsOf returns the texts without those that stand there before, and nil for none.
func firstsOf(texts []string) (firsts []string) {
	for _, text := range texts {
		if !slices.Contains(firsts, text) {
			firsts = append(firsts, text)
		}
	}
	return firsts
}

func requireSameInstant(t *testing.T, member json.RawMessage, at time.Time, got campaign.Instant) {
	t.Helper()
	require.Equal(t, member == nil, got == 0)
	if member != nil {
		require.Equal(t, at.Unix(), got.Minute()*60)
	}
}
