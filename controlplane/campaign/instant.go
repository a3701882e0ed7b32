package campaign

import (
	"errors"
	"math"
	"strings"
	"time"
)

// Instant is a point in time in whole Unix minutes, or none: the zero value. The one minute that would be zero,
// 1970-01-01T00:00Z, is Epoch. Compare what Minute returns, not instants.
type Instant int64

// Epoch is the instant 1970-01-01T00:00Z.
const Epoch Instant = math.MinInt64

// At returns the instant of a Unix minute.
func At(unixMinute int64) Instant {
	if unixMinute == 0 {
		return Epoch
	}
	return Instant(unixMinute)
}

// Minute returns the Unix minute of an instant that is one.
func (i Instant) Minute() int64 {
	if i == Epoch {
		return 0
	}
	return int64(i)
}

// String returns the instant as documents have it, in UTC ("2027-03-01T08:00:00Z"), and an empty text for none.
func (i Instant) String() string {
	if i == 0 {
		return ""
	}
	return time.Unix(i.Minute()*60, 0).UTC().Format(time.RFC3339)
}

var (
	errTime      = errors.New("must be a time of RFC 3339 with its offset, such as 2027-03-01T08:00:00Z or 2027-03-01T08:00:00+01:00")
	errMinute    = errors.New("must be a whole minute")
	errTimeRange = errors.New("must be in the years 0000 to 9999 of UTC")
)

// parseInstant reads a time of RFC 3339 with its offset: T and Z are upper case, fractions of a second are zeros. A leap second is
// no whole minute and has no place in Unix time.
func parseInstant(s string) (Instant, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !wellFormed(s) {
		return 0, errTime
	}
	if strings.Trim(s[len("2006-01-02T15:04:"):offsetAt(s)], "0.") != "" {
		return 0, errMinute // the text says so; of long fractions, t has not all digits
	}
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return 0, errTimeRange
	}
	return At(t.Unix() / 60), nil
}

// wellFormed refuses what package time takes besides RFC 3339: hours of one digit, a comma before the fraction, and offsets of
// 24 hours or 60 minutes.
func wellFormed(s string) bool {
	if s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		return false
	}
	offset := s[offsetAt(s):]
	return offset == "Z" || offset[len("+"):len("+07")] < "24" && offset[len("+07:"):] < "60"
}

// offsetAt returns the place of the offset in a time that package time has taken.
func offsetAt(s string) int {
	if strings.HasSuffix(s, "Z") {
		return len(s) - len("Z")
	}
	return len(s) - len("+07:00")
}

// instant returns the value of a field that is a time.
func (a *ad) instant(f field) Instant {
	s, ok := a.text(f, ReasonInvalidTime)
	if !ok {
		return 0
	}
	i, err := parseInstant(string(s))
	if err != nil {
		a.fail(f, ReasonInvalidTime, "%v, is %s", err, quoted(s))
	}
	return i
}
