package campaign_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func minute(t *testing.T, text string) campaign.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return campaign.At(at.Unix() / 60)
}

// many is a JSON array of n texts, each different.
func many(n int) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(`"%d"`, i)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func TestOptionalFields(t *testing.T) {
	t.Parallel()
	type c = campaign.Campaign
	at := func(text string) campaign.Instant { return minute(t, text) }
	tests := map[string]struct {
		changes []string // as ad takes them
		want    func(*c)
	}{
		"a name":              {[]string{"name", `"Été \u003cb> 😀"`}, func(want *c) { want.Name = "Été <b> 😀" }},
		"an empty name":       {[]string{"name", `""`}, func(*c) {}},
		"a name of 256 bytes": {[]string{"name", text("é", 128)}, func(want *c) { want.Name = strings.Repeat("é", 128) }},
		"labels": {
			[]string{"labels", `[ "b" , "a b","\u00e9" ]`},
			func(want *c) { want.Labels = []string{"b", "a b", "é"} },
		},
		"no labels":     {[]string{"labels", `[ ]`}, func(*c) {}},
		"a label twice": {[]string{"labels", `["a","b","\u0061"]`}, func(want *c) { want.Labels = []string{"a", "b"} }},
		"a label of 64 bytes": {
			[]string{"labels", `[` + text("a", 64) + `]`},
			func(want *c) { want.Labels = []string{strings.Repeat("a", 64)} },
		},
		"enabled":                  {[]string{"enabled", `true`}, func(*c) {}},
		"not enabled":              {[]string{"enabled", `false`}, func(want *c) { want.Paused = true }},
		"the least priority":       {[]string{"priority", `-100`}, func(want *c) { want.Priority = -100 }},
		"the largest priority":     {[]string{"priority", `100`}, func(want *c) { want.Priority = 100 }},
		"a priority of one digit":  {[]string{"priority", `7`}, func(want *c) { want.Priority = 7 }},
		"a priority of minus zero": {[]string{"priority", `-0`}, func(*c) {}},
		"the least weight":         {[]string{"weight", `1`}, func(*c) {}},
		"the largest weight":       {[]string{"weight", `100`}, func(want *c) { want.Weight = 100 }},
		"a zone":                   {[]string{"time_zone", `"Europe\/Berlin"`}, func(want *c) { want.TimeZone = "Europe/Berlin" }},
		"UTC":                      {[]string{"time_zone", `"UTC"`}, func(*c) {}},
		"UTC by another name":      {[]string{"time_zone", `"Etc/UTC"`}, func(want *c) { want.TimeZone = "Etc/UTC" }},
		"days": {
			[]string{"days", `["fri" , "mon"]`},
			func(want *c) { want.Days = campaign.DaysOf(time.Monday, time.Friday) },
		},
		"a day twice": {[]string{"days", `["sun","sun"]`}, func(want *c) { want.Days = campaign.DaysOf(time.Sunday) }},
		"all days":    {[]string{"days", `["sun","mon","tue","wed","thu","fri","sat"]`}, func(*c) {}},
		"a start": {
			[]string{"start_at", `"2027-03-01T08:00:00+01:00"`},
			func(want *c) { want.StartAt = at("2027-03-01T07:00:00Z") },
		},
		"an end": {
			[]string{"end_at", `"2027-03-01T23:59:00-23:59"`},
			func(want *c) { want.EndAt = at("2027-03-02T23:58:00Z") },
		},
		"a minute's flight": {
			[]string{"start_at", `"2027-03-01T08:00:00Z"`, "end_at", `"2027-03-01T08:01:00-00:00"`},
			func(want *c) { want.StartAt, want.EndAt = at("2027-03-01T08:00:00Z"), at("2027-03-01T08:01:00Z") },
		},
		"a fraction of zeros": {
			[]string{"start_at", `"2027-03-01T08:00:00.000000000000Z"`},
			func(want *c) { want.StartAt = at("2027-03-01T08:00:00Z") },
		},
		"a leap day": {
			[]string{"start_at", `"2028-02-29T00:00:00Z"`},
			func(want *c) { want.StartAt = at("2028-02-29T00:00:00Z") },
		},
		"the epoch is no default": {[]string{"end_at", `"1970-01-01T01:00:00+01:00"`}, func(want *c) { want.EndAt = campaign.Epoch }},
		"a flight that starts at epoch": {
			[]string{"start_at", `"1970-01-01T00:00:00Z"`, "end_at", `"1970-01-01T00:01:00Z"`},
			func(want *c) { want.StartAt, want.EndAt = campaign.Epoch, 1 },
		},
		"a flight that ends at epoch": {
			[]string{"start_at", `"1969-12-31T23:59:00Z"`, "end_at", `"1970-01-01T00:00:00Z"`},
			func(want *c) { want.StartAt, want.EndAt = -1, campaign.Epoch },
		},
		"all of time": {
			[]string{"start_at", `"0000-01-01T00:00:00Z"`, "end_at", `"9999-12-31T23:59:00Z"`},
			func(want *c) { want.StartAt, want.EndAt = at("0000-01-01T00:00:00Z"), at("9999-12-31T23:59:00Z") },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := c{ID: "x", VideoURL: "https://v/x", Country: "us", Lang: "eng", EndHour: 24, Weight: 1}
			tc.want(&want)
			// The ads after it, with a default written out and without, have none of its fields.
			doc, err := campaign.Decode([]byte(`{"ads":[` + ad(tc.changes...) + `,` + ad("id", `"y"`, "enabled", `true`) + `,` + ad("id", `"z"`) + `]}`))
			require.NoError(t, err)
			require.Empty(t, doc.Rejects)
			y := c{ID: "y", VideoURL: "https://v/x", Country: "us", Lang: "eng", EndHour: 24, Weight: 1, Index: 1}
			z := y
			z.ID, z.Index = "z", 2
			require.Equal(t, []c{want, y, z}, doc.Campaigns)
			one, errs := campaign.ParseOne([]byte(ad(tc.changes...)))
			require.Empty(t, errs)
			require.Equal(t, want, one)
		})
	}
}

func TestRejectedOptionalFields(t *testing.T) {
	t.Parallel()
	const notTime = "must be a time of RFC 3339 with its offset, such as 2027-03-01T08:00:00Z or 2027-03-01T08:00:00+01:00, is "
	const notDay = "must be one of mon, tue, wed, thu, fri, sat and sun, is "
	const notZone = "must be the name of a time zone in the tz database 2025c, is "
	tests := map[string]rejectCase{
		"name null":             {ad("name", `null`), "name", "wrong_type", "must be a string, is null"},
		"name of 257 bytes":     {ad("name", text("a", 257)), "name", "too_long", "is 257 bytes long, at most 256 are allowed"},
		"name with a newline":   {ad("name", `"a\n"`), "name", "invalid_name", `must not have control characters, is "a\n"`},
		"name with C1":          {ad("name", `"\u0085"`), "name", "invalid_name", `must not have control characters, is "\u0085"`},
		"name not UTF-8":        {ad("name", "\"\xff\""), "name", "invalid_name", "is not valid UTF-8"},
		"name twice":            {ad("name", `"a"`, "n\\u0061me", `"a"`), "name", "duplicate_field", "stands in the ad more than once"},
		"labels a string":       {ad("labels", `"a"`), "labels", "wrong_type", "must be an array of strings, is a string"},
		"labels null":           {ad("labels", `null`), "labels", "wrong_type", "must be an array of strings, is null"},
		"a label that is none":  {ad("labels", `["a", [1,"]"], 3]`), "labels", "wrong_type", "must be an array of strings, number 2 is an array"},
		"an empty label":        {ad("labels", `["a",""]`), "labels", "invalid_labels", "number 2 is empty"},
		"a label of 65 bytes":   {ad("labels", `[`+text("a", 65)+`]`), "labels", "too_long", "number 1 is 65 bytes long, at most 64 are allowed"},
		"a label with a tab":    {ad("labels", `["\t"]`), "labels", "invalid_labels", `number 1 must not have control characters, is "\t"`},
		"a label of half pairs": {ad("labels", `["\ud800"]`), "labels", "invalid_labels", "number 1 has half a surrogate pair"},
		"17 labels":             {ad("labels", many(17)), "labels", "too_many", "at most 16 different ones are allowed"},
		"enabled a number":      {ad("enabled", `1`), "enabled", "wrong_type", "must be true or false, is a number"},
		"enabled a string":      {ad("enabled", `"true"`), "enabled", "wrong_type", "must be true or false, is a string"},
		"enabled null":          {ad("enabled", `null`), "enabled", "wrong_type", "must be true or false, is null"},
		"priority 101":          {ad("priority", `101`), "priority", "out_of_range", "must be from -100 to 100, is 101"},
		"priority -101":         {ad("priority", `-101`), "priority", "out_of_range", "must be from -100 to 100, is -101"},
		"priority 1.0":          {ad("priority", `1.0`), "priority", "wrong_type", "must be written as an integer, is 1.0"},
		"priority 1e1":          {ad("priority", `1e1`), "priority", "wrong_type", "must be written as an integer, is 1e1"},
		"priority a string":     {ad("priority", `"1"`), "priority", "wrong_type", "must be an integer, is a string"},
		"priority over 64 bits": {ad("priority", `-18446744073709551615`), "priority", "out_of_range", "must be from -100 to 100, is -18446744073709551615"},
		"weight 0":              {ad("weight", `0`), "weight", "out_of_range", "must be from 1 to 100, is 0"},
		"weight 101":            {ad("weight", `101`), "weight", "out_of_range", "must be from 1 to 100, is 101"},
		"weight -1":             {ad("weight", `-1`), "weight", "out_of_range", "must be from 1 to 100, is -1"},
		"weight null":           {ad("weight", `null`), "weight", "wrong_type", "must be an integer, is null"},
		"no zone":               {ad("time_zone", `""`), "time_zone", "invalid_time_zone", notZone + `""`},
		"the machine's zone":    {ad("time_zone", `"Local"`), "time_zone", "invalid_time_zone", notZone + `"Local"`},
		"a zone in small":       {ad("time_zone", `"europe/berlin"`), "time_zone", "invalid_time_zone", notZone + `"europe/berlin"`},
		"a path for a zone":     {ad("time_zone", `"../x"`), "time_zone", "invalid_time_zone", notZone + `"../x"`},
		"an offset for a zone":  {ad("time_zone", `"+01:00"`), "time_zone", "invalid_time_zone", notZone + `"+01:00"`},
		"a zone null":           {ad("time_zone", `null`), "time_zone", "wrong_type", "must be a string, is null"},
		"days a string":         {ad("days", `"mon"`), "days", "wrong_type", "must be an array of strings, is a string"},
		"days empty":            {ad("days", `[]`), "days", "invalid_days", "must not be empty; every day is meant where it is absent"},
		"days in capitals":      {ad("days", `["mon","Tue"]`), "days", "invalid_days", `number 2 ` + notDay + `"Tue"`},
		"days by number":        {ad("days", `[1]`), "days", "wrong_type", "must be an array of strings, number 1 is a number"},
		"days with null":        {ad("days", `["mon",null]`), "days", "wrong_type", "must be an array of strings, number 2 is null"},
		"days in full":          {ad("days", `["monday"]`), "days", "invalid_days", `number 1 ` + notDay + `"monday"`},
		"start_at a number":     {ad("start_at", `1800000000`), "start_at", "wrong_type", "must be a string, is a number"},
		"the last minute of a flight is before its first": {
			ad("start_at", `"2027-03-01T08:00:00Z"`, "end_at", `"2027-03-01T08:59:00+01:00"`), "end_at", "empty_flight",
			"must be after start_at, 2027-03-01T08:00:00Z",
		},
		"a flight without a minute": {
			ad("start_at", `"1970-01-01T00:00:00Z"`, "end_at", `"1970-01-01T00:00:00Z"`), "end_at", "empty_flight",
			"must be after start_at, 1970-01-01T00:00:00Z",
		},
		"all in their order": {
			ad("end_at", `0`, "start_at", `0`, "days", `0`, "time_zone", `0`, "weight", `0`, "priority", `""`, "enabled", `0`, "labels", `0`, "name", `0`),
			"name", "wrong_type", "must be a string, is a number; also labels: must be an array of strings, is a number; " +
				"also enabled: must be true or false, is a number; also priority: must be an integer, is a string; " +
				"also weight: must be from 1 to 100, is 0; also time_zone: must be a string, is a number; " +
				"also days: must be an array of strings, is a number; also start_at: must be a string, is a number; " +
				"also end_at: must be a string, is a number",
		},
	}
	for _, wrong := range []string{
		"", "2027-03-01", "2027-03-01T08:00:00", "2027-03-01T08:00Z", "2027-03-01 08:00:00Z", "2027-03-01t08:00:00Z", "2027-03-01T08:00:00z",
		"2027-03-01T8:00:00Z", "2027-03-01T8:00:00.0Z", "2027-03-01T08:00:00,0Z", "2027-02-29T00:00:00Z", "2027-03-01T24:00:00Z",
		"2027-03-01T08:00:60Z", "2027-03-01T08:00:00+24:00", "2027-03-01T08:00:00+23:60", "2027-03-01T08:00:00+0100", "2027-03-01T08:00:00+01",
		"12027-03-01T08:00:00Z", " 2027-03-01T08:00:00Z", "2027-03-01T08:00:00Z ", "2027-03-01T08:00:00 UTC", "now",
	} {
		tests["start_at "+wrong] = rejectCase{ad("start_at", `"`+wrong+`"`), "start_at", "invalid_time", notTime + `"` + wrong + `"`}
	}
	for _, wrong := range []string{
		"2027-03-01T08:00:01Z", "2027-03-01T08:00:30+01:00", "2027-03-01T08:00:00.001Z", "2027-03-01T08:00:00.0000000000001Z",
	} {
		tests["end_at "+wrong] = rejectCase{ad("end_at", `"`+wrong+`"`), "end_at", "invalid_time", `must be a whole minute, is "` + wrong + `"`}
	}
	for _, wrong := range []string{"0000-01-01T00:59:00+01:00", "9999-12-31T23:59:00-00:01"} {
		tests["end_at "+wrong] = rejectCase{
			ad("end_at", `"`+wrong+`"`), "end_at", "invalid_time", `must be in the years 0000 to 9999 of UTC, is "` + wrong + `"`,
		}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.run(t)
			_, errs := campaign.ParseOne([]byte(tc.ad))
			require.NotEmpty(t, errs)
			first := errs[0]
			require.Equal(t, [2]string{tc.field, tc.reason}, [2]string{first.Field, first.Reason})
			require.True(t, strings.HasPrefix(tc.detail, first.Message), first.Message)
		})
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	var none campaign.Instant
	require.Empty(t, none.String())
	require.Zero(t, campaign.Epoch.Minute())
	require.Equal(t, campaign.Epoch, campaign.At(0))
	require.Equal(t, "1970-01-01T00:00:00Z", campaign.Epoch.String())
	require.Equal(t, "1969-12-31T23:59:00Z", campaign.At(-1).String())
	require.EqualValues(t, -1, campaign.At(-1).Minute())
}

func TestFlight(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		start, end  campaign.Instant
		from, until int64
	}{
		"open at both ends": {0, 0, -1 << 63, 1<<63 - 1},
		"with a start":      {5, 0, 5, 1<<63 - 1},
		"with an end":       {0, 5, -1 << 63, 5},
		"with both":         {-5, 5, -5, 5},
		"from the epoch":    {campaign.Epoch, 5, 0, 5},
		"until the epoch":   {-5, campaign.Epoch, -5, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, until := (&campaign.Campaign{StartAt: tc.start, EndAt: tc.end}).Flight()
			require.Equal(t, [2]int64{tc.from, tc.until}, [2]int64{from, until})
		})
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	require.Zero(t, campaign.DaysOf())
	require.Equal(t, campaign.Days(0b0000001), campaign.DaysOf(time.Sunday))
	require.Equal(t, campaign.Days(0b1000010), campaign.DaysOf(time.Saturday, time.Monday, time.Saturday))
	for day := time.Sunday; day <= time.Saturday; day++ {
		require.True(t, campaign.Days(0).Has(day))
		require.True(t, campaign.DaysOf(day).Has(day))
		require.False(t, campaign.DaysOf((day+1)%7).Has(day))
	}
}
