package compile

import (
	"math"
	"time"

	"adsidecar/controlplane/campaign"
)

// The horizon begins a day before the last UTC midnight, for clocks that are behind, and ends 14 days after it: so long does an index
// serve flights and time zones exactly without a control plane.
const (
	horizonBefore  = 1 * dayMinutes
	horizonAfter   = 14 * dayMinutes
	horizonMinutes = horizonBefore + horizonAfter
)

const (
	hourMinutes = 60
	dayMinutes  = dayHours * hourMinutes
	weekMinutes = 7 * dayMinutes
)

// openEnd is the end of a flight that has none, as campaign.Campaign.Flight gives it.
const openEnd = math.MaxInt64

// horizon is the stretch of Unix minutes [base, end) that an absolute schedule knows minute by minute.
type horizon struct{ base, end int64 }

func horizonOf(now time.Time) horizon {
	midnight := floorDiv(now.Unix(), dayMinutes*60) * dayMinutes
	return horizon{base: midnight - horizonBefore, end: midnight + horizonAfter}
}

// midnight returns when the day began that the horizon is made for.
func (h horizon) midnight() time.Time { return unixMinute(h.base + horizonBefore) }

// nextMidnight returns when the horizon moves.
func (h horizon) nextMidnight() time.Time { return unixMinute(h.base + horizonBefore + dayMinutes) }

// divides reports whether something that changes at a Unix minute differs inside the horizon. What changes at its first minute is the
// same in all of it.
func (h horizon) divides(minute int64) bool { return h.base < minute && minute < h.end }

// reaches reports whether an index of this horizon can ever serve a flight: at the end of the horizon those begin that hold after it.
func (h horizon) reaches(from, until int64) bool { return until > h.base && from <= h.end }

// moves reports whether the flight of a campaign has an edge that a later horizon meets and this one does not see as past.
func (h horizon) moves(c *campaign.Campaign) bool {
	from, until := c.Flight()
	return c.StartAt != 0 && from > h.base || c.EndAt != 0 && until > h.base
}

// unixMinute returns the time of a Unix minute in UTC.
func unixMinute(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }

// floorDiv returns a/b rounded down; b is positive. Times before 1970 are negative.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// floorMod returns what floorDiv leaves: 0 to b-1.
func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
