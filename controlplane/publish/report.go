package publish

import (
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// reminderInterval is how often a trouble that lasts is logged again.
	reminderInterval = 5 * time.Minute

	maxErrorText = 1024
)

// reporter logs when a trouble begins, changes its class and ends, and a reminder while it lasts: with a poll each
// second, one line for each failure would hide everything else.
type reporter struct {
	log *zap.Logger
	now func() time.Time

	class         string // empty: all is well
	since, logged time.Time
}

// report notes the present state: class is empty if all is well, and otherwise says which kind of trouble it is.
func (r *reporter) report(class string, err error, begins, ends string) {
	now := r.now()
	changed := class != r.class
	switch {
	case class == "" && !changed:
		return
	case class == "":
		r.log.Info(ends, zap.Duration("after", now.Sub(r.since)))
	case changed || now.Sub(r.logged) >= reminderInterval || now.Before(r.logged):
		if r.class == "" {
			r.since = now
		}
		r.logged = now
		r.log.Error(begins, zap.String("class", class), zap.String("error", text(err)), zap.Time("since", r.since))
	default:
		r.log.Debug(begins, zap.String("class", class), zap.String("error", text(err)))
	}
	r.class = class
}

// text returns the text of err, bounded: parts of it come from outside.
func text(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
