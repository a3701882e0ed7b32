package compile

import (
	"cmp"
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// candidate is a campaign that may be served for a key.
type candidate struct {
	ad          adindex.AdRef
	weight      uint8
	priority    int8
	exactness   int8 // 0 is the most exact
	tier        int
	from, until int64 // flight, in Unix minutes
	timing      *timing
}

func (c *candidate) sameTier(d *candidate) bool {
	return c.priority == d.priority && c.exactness == d.exactness
}

// better orders candidates as they win, and those of a tier as they take turns.
func (c *candidate) better(d *candidate) int {
	return cmp.Or(cmp.Compare(d.priority, c.priority), cmp.Compare(c.exactness, d.exactness), cmp.Compare(c.ad, d.ad))
}

// resolver makes the schedules of keys whose campaigns have more than the plain fields.
type resolver struct {
	horizon
	campaigns []campaign.Campaign
	entries   []entry
	timings   map[window]*timing
	zones     map[string]offsets
	moving    bool // a zone that was met changes its offset, now or later

	sweeper    *sweeper
	candidates []candidate
	segments   []adindex.Segment
}

func newResolver(h horizon, entries []entry, campaigns []campaign.Campaign) *resolver {
	return &resolver{
		horizon: h, campaigns: campaigns, entries: entries,
		timings: make(map[window]*timing), zones: make(map[string]offsets),
		sweeper: newSweeper(),
	}
}

// schedule adds the schedule of a key. ranks are the ads that apply to it, the most exact first.
func (r *resolver) schedule(b *keyAdder, key adindex.Key, ranks [][]adindex.AdRef) (adindex.ScheduleRef, error) {
	if err := r.gather(ranks); err != nil {
		return 0, err
	}
	s := r.sweeper
	s.start(r.candidates)
	on, kind := r.clock()
	segments, err := s.sweep(r.segments[:0], on, b.addCycle)
	if err != nil {
		return 0, err
	}
	r.segments = segments
	during := len(segments)
	if kind == adindex.Absolute {
		if r.segments, err = s.sweep(segments, clock{weekMinutes, r.behind}, b.addCycle); err != nil {
			return 0, err
		}
	}
	if s.bytes > MaxKeyBytes {
		return 0, &KeyTooLargeError{Key: key.String(), Bytes: s.bytes, Ads: len(r.candidates)}
	}
	schedule := adindex.Schedule{Clock: kind, Segments: r.segments[:during]}
	if kind == adindex.Absolute {
		after, err := b.addSchedule(adindex.Schedule{Clock: adindex.Week, Segments: r.segments[during:]})
		if err != nil {
			return 0, err
		}
		schedule.Base, schedule.Minutes, schedule.After = r.base, horizonMinutes, after
	}
	return b.addSchedule(schedule)
}

func (r *resolver) gather(ranks [][]adindex.AdRef) error {
	r.candidates = r.candidates[:0]
	for exactness, ads := range ranks {
		for _, ad := range ads {
			c := &r.campaigns[r.entries[ad].number]
			t, err := r.timing(c)
			if err != nil {
				return err
			}
			from, until := c.Flight()
			r.candidates = append(r.candidates, candidate{
				ad: ad, weight: uint8(weightOf(c)), priority: int8(c.Priority), exactness: int8(exactness),
				from: from, until: until, timing: t,
			})
		}
	}
	slices.SortFunc(r.candidates, func(a, b candidate) int { return a.better(&b) })
	return nil
}

func (r *resolver) timing(c *campaign.Campaign) (*timing, error) {
	w := windowOf(c)
	if t, ok := r.timings[w]; ok {
		return t, nil
	}
	o, ok := r.zones[w.zone]
	switch {
	case w.zone == "":
		o = offsets{{from: r.base}}
	case !ok:
		loc, err := location(c)
		if err != nil {
			return nil, err
		}
		o = offsetsOf(loc, r.horizon)
		r.zones[w.zone] = o
		r.moving = r.moving || everChanges(loc, r.horizon)
	}
	t := &timing{window: w, offsets: o}
	r.timings[w] = t
	return t, nil
}

// clock returns the simplest clock on which the candidates run as they do in the horizon.
func (r *resolver) clock() (clock, adindex.Clock) {
	daily := true
	for i := range r.candidates {
		c := &r.candidates[i]
		if r.divides(c.from) || r.divides(c.until) || len(c.timing.offsets) > 1 {
			return clock{horizonMinutes, r.during}, adindex.Absolute
		}
		daily = daily && c.timing.days == 0
	}
	if daily {
		return clock{dayMinutes, func(c *candidate) ([]span, span) { return r.always(c, c.timing.onDay, dayMinutes) }}, adindex.Day
	}
	return clock{weekMinutes, func(c *candidate) ([]span, span) { return r.always(c, c.timing.onWeek, weekMinutes) }}, adindex.Week
}

// always returns the minutes of a candidate whose flight has no edge inside the horizon: all of its window, unless it begins later.
func (r *resolver) always(c *candidate, spans func() []span, minutes int32) ([]span, span) {
	if c.from >= r.end {
		return nil, span{}
	}
	return spans(), span{0, minutes}
}

func (r *resolver) during(c *candidate) ([]span, span) {
	flight := span{int32(max(c.from, r.base) - r.base), int32(min(c.until, r.end) - r.base)}
	if c.from >= r.end {
		flight = span{}
	}
	return c.timing.within(r.horizon), flight
}

// behind returns the minutes of a candidate after the horizon: of those that have begun by then and have no end.
func (r *resolver) behind(c *candidate) ([]span, span) {
	if c.until != openEnd || c.from > r.end {
		return nil, span{}
	}
	return c.timing.behind(), span{0, weekMinutes}
}
