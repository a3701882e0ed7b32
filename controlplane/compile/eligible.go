package compile

import (
	"strings"
	"time"

	"adsidecar/controlplane/campaign"
)

// searched is how many minutes NextEligible looks ahead, from the flight's start on. A window comes every week, unless daylight saving skips
// its hour.
const searched = 4 * weekMinutes

// endOfTime is the first minute of the year 10000, of which RFC 3339 knows no text.
var endOfTime = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60

// NextEligible returns the first minute, from that of at on, at which the campaign may be served if nothing goes before it, in UTC. It is
// the zero time if there is none: it is paused, or its flight or the year 9999, which is the last that has a text, ends before. It fails for a time zone that Decode would not have let pass.
func NextEligible(c *campaign.Campaign, at time.Time) (time.Time, error) {
	loc, err := location(c)
	if err != nil {
		return time.Time{}, err
	}
	from, until := c.Flight()
	from = max(from, floorDiv(at.Unix(), 60))
	if c.Paused || from >= until {
		return time.Time{}, nil
	}
	ahead := horizon{base: from, end: from + searched}
	t := timing{window: windowOf(c), offsets: offsetsOf(loc, ahead)}
	spans := t.within(ahead)
	if len(spans) == 0 || from+int64(spans[0].begin) >= min(until, endOfTime) {
		return time.Time{}, nil
	}
	return unixMinute(from + int64(spans[0].begin)), nil
}

// ineligible returns why the campaign may not be served at a time whatever the others do, or nothing if it may.
func ineligible(c *campaign.Campaign, at time.Time) (string, error) {
	loc, err := location(c)
	if err != nil {
		return "", err
	}
	minute := floorDiv(at.Unix(), 60)
	from, until := c.Flight()
	wall := at.In(loc)
	day := wall.Weekday()
	if c.StartHour > c.EndHour && wall.Hour() < c.EndHour {
		day = (day + 6) % 7 // the window began on the day before
	}
	switch {
	case c.Paused:
		return ReasonPaused, nil
	case minute < from:
		return ReasonBeforeFlight, nil
	case minute >= until:
		return ReasonAfterFlight, nil
	case !c.Days.Has(day):
		return ReasonWrongDay, nil
	case !c.ActiveAt(wall.Hour()):
		return ReasonOutOfHours, nil
	default:
		return "", nil
	}
}

func adOf(c *campaign.Campaign) Ad {
	ad := Ad{
		ID: c.ID, VideoURL: c.VideoURL, Country: c.Country, Lang: c.Lang, StartHour: c.StartHour, EndHour: c.EndHour,
		Priority: c.Priority, Weight: weightOf(c), TimeZone: zoneName(c), Index: c.Index,
	}
	if c.Days != 0 {
		for n := range time.Weekday(7) {
			if day := (n + 1) % 7; c.Days.Has(day) {
				ad.Days = append(ad.Days, strings.ToLower(day.String()[:3]))
			}
		}
	}
	if c.StartAt != 0 {
		ad.StartAt = unixMinute(c.StartAt.Minute()).Format(time.RFC3339)
	}
	if c.EndAt != 0 {
		ad.EndAt = unixMinute(c.EndAt.Minute()).Format(time.RFC3339)
	}
	return ad
}
