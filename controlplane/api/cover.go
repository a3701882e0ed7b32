package api

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/filter/adindex"
)

const (
	quarters         = 96
	minutesOfQuarter = 15
	minutesOfDay     = quarters * minutesOfQuarter
)

// maxCovers is how many days' coverage is kept: two people may look at days of their own, page by page. One day of 20,000 keys is some 4 MB.
const maxCovers = 4

// covers keeps the coverage of the days that were asked for last. It is safe for concurrent use.
type covers struct {
	one slots // to find it out: on all processors, so for one request at a time

	mu   sync.Mutex
	days []dayCoverage // the one that was found out last is the last
}

// dayCoverage is that of all keys of a version of the index, worst first. The list is not changed any more.
type dayCoverage struct {
	version  string
	midnight int64 // Unix seconds
	list     []apiv1.Coverage
}

func (c *covers) get(version string, midnight int64) ([]apiv1.Coverage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.days, func(d dayCoverage) bool { return d.version == version && d.midnight == midnight })
	if i < 0 {
		return nil, false
	}
	return c.days[i].list, true
}

func (c *covers) put(d dayCoverage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.days) == maxCovers {
		c.days = slices.Delete(c.days, 0, 1)
	}
	c.days = append(c.days, d)
}

// worstFirst orders by minutes without an ad, then by key.
func worstFirst(a, b apiv1.Coverage) int {
	return cmp.Or(cmp.Compare(b.Without, a.Without), cmp.Compare(a.Country, b.Country), cmp.Compare(a.Lang, b.Lang))
}

// covered is the coverage of all keys of an index on a day, worst first. It ends with ctx.
func (s *server) covered(ctx context.Context, version string, index *adindex.Reader, day time.Time) ([]apiv1.Coverage, error) {
	if list, ok := s.covers.get(version, day.Unix()); ok {
		return list, nil
	}
	if err := s.covers.one.wait(ctx); err != nil {
		return nil, err
	}
	defer s.covers.one.leave()
	if list, ok := s.covers.get(version, day.Unix()); ok { // somebody else has waited for the same
		return list, nil
	}
	list, err := cover(ctx, index, day.Unix())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, worstFirst)
	s.covers.put(dayCoverage{version, day.Unix(), list})
	return list, nil
}

// cover looks at every minute of every key, on all processors, until ctx ends.
func cover(ctx context.Context, r *adindex.Reader, midnight int64) ([]apiv1.Coverage, error) {
	list := make([]apiv1.Coverage, r.Cursors())
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for first := range workers {
		all.Go(func() {
			for n := first; n < len(list) && ctx.Err() == nil; n += workers {
				list[n] = coverKey(r, r.CursorKey(uint32(n)), midnight)
			}
		})
	}
	all.Wait()
	return list, ctx.Err()
}

func coverKey(r *adindex.Reader, key adindex.Key, midnight int64) apiv1.Coverage {
	c := apiv1.Coverage{Country: key.Country(), Lang: key.Lang()}
	var without [quarters]int // minutes
	if entry, ok := r.Find(key); ok {
		for first, minute := midnight/60, midnight/60; minute < first+minutesOfDay; {
			cycle, end := r.Stretch(entry, minute)
			end = min(end, first+minutesOfDay)
			if r.Cycle(cycle).Len() > 0 {
				minute = end
			}
			for ; minute < end; minute++ {
				without[(minute-first)/minutesOfQuarter]++
			}
		}
	} else {
		for i := range without {
			without[i] = minutesOfQuarter
		}
	}
	text := make([]byte, quarters)
	for i, n := range without {
		switch n {
		case 0:
			text[i] = '1'
		case minutesOfQuarter:
			text[i] = '0'
		default:
			text[i] = '-'
		}
		c.Without += n
	}
	c.Quarters = string(text)
	return c
}
