package campaign_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestParseOneReportsEverything(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data string
		want []campaign.FieldError
	}{
		"each field, then the unknown ones": {
			`{"title":"a","end_at":"x","start_hour":1.0,"id":"","\u0069ndex":3,"country":"usa","lang":"eng","end_hour":"1","title":2}`,
			[]campaign.FieldError{
				{"id", "invalid_id", "is empty"},
				{"video_url", "missing_field", "is missing"},
				{"country", "invalid_country", `must be 2 ASCII letters, is "usa"`},
				{"start_hour", "wrong_type", "must be written as an integer, is 1.0"},
				{"end_hour", "wrong_type", "must be an integer, is a string"},
				{"end_at", "invalid_time", `must be a time of RFC 3339 with its offset, such as 2027-03-01T08:00:00Z or 2027-03-01T08:00:00+01:00, is "x"`},
				{"title", "unknown_field", "is no field of a campaign"},
				{"index", "unknown_field", "is no field of a campaign"},
			},
		},
		"a field twice":      {ad("\\u0069d", `"b"`), []campaign.FieldError{{"id", "duplicate_field", "stands in the ad more than once"}}},
		"a name in capitals": {ad("Name", `"b"`), []campaign.FieldError{{"Name", "unknown_field", "is no field of a campaign"}}},
		"a long unknown name": {
			ad(strings.Repeat("é", 40), `1`),
			[]campaign.FieldError{{strings.Repeat("é", 32) + "…", "unknown_field", "is no field of a campaign"}},
		},
		"an unknown name of half": {ad("\\ud800", `1`), []campaign.FieldError{{`"\ud800"`, "unknown_field", "is no field of a campaign"}}},
		"null":                    {`null`, []campaign.FieldError{{"", "wrong_type", "must be an object, is null"}}},
		"a list of one":           {`[` + ad() + `]`, []campaign.FieldError{{"", "wrong_type", "must be an object, is an array"}}},
		"nothing":                 {``, []campaign.FieldError{{"", "malformed", "line 1, column 1: unexpected end of JSON input"}}},
		"two": {
			ad() + ad(),
			[]campaign.FieldError{{"", "malformed", "line 1, column 94: invalid character '{' after top-level value"}},
		},
		"cut off": {"{\n\"id\"", []campaign.FieldError{{"", "malformed", "line 2, column 5: unexpected end of JSON input"}}},
		"a byte order mark before": {
			"\ufeff" + ad(),
			[]campaign.FieldError{{"", "malformed", "line 1, column 1: invalid character 'ï' looking for beginning of value"}},
		},
		"more bytes than any": {
			ad() + strings.Repeat(" ", campaign.MaxOneBytes), []campaign.FieldError{{"", "too_long", "the campaign is longer than 65536 bytes"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, errs := campaign.ParseOne([]byte(tc.data))
			require.Equal(t, tc.want, errs)
			require.Zero(t, got)
		})
	}
}

func TestUnknownFieldsAreNamedUpToALimit(t *testing.T) {
	t.Parallel()
	var changes []string
	for i := range 40 {
		changes = append(changes, fmt.Sprint("x", i), `1`)
	}
	_, errs := campaign.ParseOne([]byte(ad(append(changes, "weight", `0`)...)))
	require.Len(t, errs, 1+16)
	require.Equal(t, "weight: must be from 1 to 100, is 0", errs[0].Error())
	require.Equal(t, "x15: is no field of a campaign", errs[16].Error())
	require.Equal(t, "no field", campaign.FieldError{Message: "no field"}.Error())
}

func TestTheLongestCampaignFits(t *testing.T) {
	t.Parallel()
	escaped := func(n int) string { return strings.Repeat(`\u0061`, n) }
	labels := make([]string, campaign.MaxLabels)
	for i := range labels {
		labels[i] = fmt.Sprintf(`"%02d%s"`, i, escaped(campaign.MaxLabelBytes-2))
	}
	data := ad(
		"id", `"`+escaped(campaign.MaxIDBytes)+`"`, "video_url", `"https://v/`+escaped(campaign.MaxURLBytes-len("https://v/"))+`"`,
		"name", `"`+escaped(campaign.MaxNameBytes)+`"`, "labels", "["+strings.Join(labels, ",")+"]",
		"days", `["mon","tue","wed","thu","fri","sat"]`, "time_zone", `"America/Argentina/ComodRivadavia"`,
	)
	require.Less(t, len(data), campaign.MaxOneBytes/2)
	c, errs := campaign.ParseOne([]byte(data))
	require.Empty(t, errs)
	require.Len(t, c.Labels, campaign.MaxLabels)
}

func TestParseOneKeepsNothingOfItsInput(t *testing.T) {
	t.Parallel()
	data := []byte(ad("name", `"name"`, "labels", `["a"]`, "time_zone", `"Asia/Tokyo"`))
	c, errs := campaign.ParseOne(data)
	require.Empty(t, errs)
	clear(data)
	require.Equal(t, campaign.Campaign{
		ID: "x", VideoURL: "https://v/x", Country: "us", Lang: "eng", EndHour: 24, Weight: 1,
		Name: "name", Labels: []string{"a"}, TimeZone: "Asia/Tokyo",
	}, c)
}

// TestParseOneTakesNoMoreMemoryThanTheCampaign: an import keeps 100,000 of them.
func TestParseOneTakesNoMoreMemoryThanTheCampaign(t *testing.T) {
	data := []byte(ad("name", `"name"`))
	allocated := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.TotalAlloc
	}
	const n = 100
	before := allocated()
	for range n {
		_, errs := campaign.ParseOne(data)
		require.Empty(t, errs)
	}
	require.Less(t, (allocated()-before)/n, uint64(8<<10))
}
