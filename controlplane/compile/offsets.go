package compile

import (
	"fmt"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/zone"
)

// stretch is a run of minutes with one offset from UTC.
type stretch struct {
	from   int64 // Unix minute; it ends where the next begins
	offset int64 // minutes to add to UTC
}

// offsets are the stretches of a zone over a horizon: at least one, from its first minute on.
type offsets []stretch

// last returns the offset in the horizon's last minute.
func (o offsets) last() int64 { return o[len(o)-1].offset }

// zoneName returns the name by which the campaign's zone is loaded, which is empty for UTC.
func zoneName(c *campaign.Campaign) string {
	if c.TimeZone == zone.UTC {
		return ""
	}
	return c.TimeZone
}

// location returns the zone of a campaign.
func location(c *campaign.Campaign) (*time.Location, error) {
	name := zoneName(c)
	if name == "" {
		return time.UTC, nil
	}
	loc, err := zone.Load(name)
	if err != nil {
		return nil, fmt.Errorf("ad %d: time zone %q: %w", c.Index, name, err)
	}
	return loc, nil
}

// offsetsOf returns the stretches of a zone. A minute has the offset of its first second; what an offset has in seconds, as some had
// before 1972, counts for the minute of the wall clock alone.
func offsetsOf(loc *time.Location, h horizon) offsets {
	_, seconds := unixMinute(h.base).In(loc).Zone()
	all := offsets{{from: h.base, offset: floorDiv(int64(seconds), 60)}}
	for _, t := range zone.Transitions(loc, unixMinute(h.base), unixMinute(h.end)) {
		minute, offset := -floorDiv(-t.At, 60), floorDiv(int64(t.OffsetSeconds), 60)
		if h.divides(minute) && offset != all.last() {
			all = append(all, stretch{from: minute, offset: offset})
		}
	}
	return all
}

// everChanges reports whether a zone's bounds end behind the horizon's first minute, at whatever time.
func everChanges(loc *time.Location, h horizon) bool {
	_, end := unixMinute(h.base).In(loc).ZoneBounds()
	return !end.IsZero()
}
