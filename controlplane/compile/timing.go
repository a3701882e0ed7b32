package compile

import (
	"cmp"
	"slices"
	"time"

	"adsidecar/controlplane/campaign"
)

// span is the minutes [begin, end) of a clock.
type span struct{ begin, end int32 }

// window is what decides over a campaign's minutes besides its flight. Campaigns of one window share its spans.
type window struct {
	start, end int
	days       campaign.Days
	zone       string
}

func windowOf(c *campaign.Campaign) window {
	return window{start: c.StartHour, end: c.EndHour, days: c.Days, zone: zoneName(c)}
}

// timing is a window with its minutes on each clock, made when they are asked for first.
type timing struct {
	window
	offsets offsets

	day, week, absolute, after []span
}

// onDay returns the minutes of the UTC day, for a window of every day whose zone keeps its offset.
func (t *timing) onDay() []span {
	if t.day == nil {
		t.day = shifted([]span{t.length(0)}, t.offsets[0].offset, dayMinutes)
	}
	return t.day
}

// onWeek returns the minutes of the UTC week, for a zone that keeps its offset.
func (t *timing) onWeek() []span {
	if t.week == nil {
		t.week = shifted(t.local(), t.offsets[0].offset, weekMinutes)
	}
	return t.week
}

// behind returns the minutes of the UTC week with the offset of the horizon's last minute.
func (t *timing) behind() []span {
	if t.after == nil {
		t.after = shifted(t.local(), t.offsets.last(), weekMinutes)
	}
	return t.after
}

// within returns the minutes of the horizon, counted from its base.
func (t *timing) within(h horizon) []span {
	if t.absolute != nil {
		return t.absolute
	}
	// From the instant to the wall clock, never back: each stretch is laid over the local week at its own offset, which leaves out an
	// hour that is skipped and takes one that is repeated twice.
	week := shifted(t.local(), 0, weekMinutes)
	all := []span{}
	for i, s := range t.offsets {
		until := h.end
		if i+1 < len(t.offsets) {
			until = t.offsets[i+1].from
		}
		monday := floorDiv(s.from+s.offset-firstMonday, weekMinutes)*weekMinutes + firstMonday - s.offset
		for ; monday < until; monday += weekMinutes {
			for _, w := range week {
				begin, end := max(monday+int64(w.begin), s.from), min(monday+int64(w.end), until)
				if begin < end {
					all = append(all, span{int32(begin - h.base), int32(end - h.base)})
				}
			}
		}
	}
	t.absolute = joined(all)
	return t.absolute
}

// firstMonday is the Unix minute of the first Monday after the epoch, 1970-01-05.
const firstMonday = 4 * dayMinutes

// length returns the minutes of the window that starts on the day which begins at minute midnight. One that wraps ends on the day after.
func (w window) length(midnight int32) span {
	end := w.end
	switch {
	case w.start == w.end:
		return span{midnight, midnight + dayMinutes}
	case w.start > w.end:
		end += dayHours
	}
	return span{midnight + int32(w.start)*hourMinutes, midnight + int32(end)*hourMinutes}
}

// local returns the minutes of the week that begins on Monday on the wall clock. A window that starts on Sunday may end behind it.
func (w window) local() []span {
	var all []span
	for day := range int32(7) {
		if w.days.Has(time.Weekday((day + 1) % 7)) {
			all = append(all, w.length(day*dayMinutes))
		}
	}
	return all
}

// shifted returns local spans on the UTC clock of that period, in order. What passes the period's end comes again at its start.
func shifted(local []span, offset int64, period int32) []span {
	all := make([]span, 0, len(local)+1)
	for _, s := range local {
		begin := int32(floorMod(int64(s.begin)-offset, int64(period)))
		end := begin + s.end - s.begin
		if end > period {
			all = append(all, span{0, end - period})
			end = period
		}
		all = append(all, span{begin, end})
	}
	return joined(all)
}

// joined sorts spans and joins those that touch. It returns a slice that is not nil, and may change the given one.
func joined(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && s.begin <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}
