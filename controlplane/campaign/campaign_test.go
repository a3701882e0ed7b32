package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestActiveAt(t *testing.T) {
	t.Parallel()
	hours := func(parts ...[2]int) (active [24]bool) {
		for _, p := range parts {
			for h := p[0]; h <= p[1]; h++ {
				active[h] = true
			}
		}
		return active
	}
	allDay := hours([2]int{0, 23})
	tests := map[string]struct {
		start, end int
		want       [24]bool
	}{
		"0 to 0 is all day":                      {0, 0, allDay},
		"0 to 24 is all day":                     {0, 24, allDay},
		"equal hours are all day":                {7, 7, allDay},
		"23 to 23 is all day":                    {23, 23, allDay},
		"the end hour is outside the window":     {1, 14, hours([2]int{1, 13})},
		"an end of 0 is midnight":                {14, 0, hours([2]int{14, 23})},
		"an end of 24 is midnight":               {14, 24, hours([2]int{14, 23})},
		"a window of one hour":                   {5, 6, hours([2]int{5, 5})},
		"the last hour":                          {23, 24, hours([2]int{23, 23})},
		"the last hour with an end of 0":         {23, 0, hours([2]int{23, 23})},
		"the first hour":                         {0, 1, hours([2]int{0, 0})},
		"a start after the end wraps":            {22, 2, hours([2]int{22, 23}, [2]int{0, 1})},
		"all but one hour, wrapping":             {6, 5, hours([2]int{6, 23}, [2]int{0, 4})},
		"all but the last hour, without a wrap":  {0, 23, hours([2]int{0, 22})},
		"all but the first hour, up to midnight": {1, 24, hours([2]int{1, 23})},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got [24]bool
			for h := range got {
				got[h] = campaign.Campaign{StartHour: tc.start, EndHour: tc.end}.ActiveAt(h)
			}
			require.Equal(t, tc.want, got)
		})
	}
}
