package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

const (
	quarters         = 96
	minutesOfQuarter = 15
	// An index has the days from yesterday to thirteen days ahead.
	daysBehind = 1
	daysAhead  = 13
)

// covers keeps the coverage of the last day that was asked for: its pages are asked for one after the other.
type covers struct {
	mu      sync.Mutex
	version string
	day     int64
	list    []apiv1.Coverage
}

func (s *server) coverage(c *call) error {
	q, err := c.params("day", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	text, err := readCursor(q)
	if err != nil {
		return err
	}
	var after *apiv1.Coverage
	if text != "" {
		after = &apiv1.Coverage{}
		if err := json.Unmarshal([]byte(text), after); err != nil {
			return errCursor
		}
	}
	today := s.Now().UTC().Truncate(24 * time.Hour)
	day := today
	if q.Has("day") {
		if day, err = time.Parse(time.DateOnly, q.Get("day")); err != nil {
			return badField("day", "day must be a day such as 2027-03-01.")
		}
	}
	if first, last := today.AddDate(0, 0, -daysBehind), today.AddDate(0, 0, daysAhead); day.Before(first) || day.After(last) {
		return badField("day", fmt.Sprintf("day must be from %s to %s, which an index has.", first.Format(time.DateOnly), last.Format(time.DateOnly)))
	}
	candidate := s.Publisher.View()
	if candidate == nil || candidate.Index == nil {
		return errNoIndex
	}
	list, err := s.covered(candidate.Index, day)
	if err != nil {
		return err
	}
	page := apiv1.CoveragePage{Page: apiv1.Page[apiv1.Coverage]{Items: []apiv1.Coverage{}, Total: len(list)}, Basis: s.basis(nil)}
	first := 0
	if after != nil {
		if first, _ = slices.BinarySearchFunc(list, *after, worstFirst); first < len(list) && worstFirst(list[first], *after) == 0 {
			first++
		}
	}
	end := min(first+limit, len(list))
	page.Items = append(page.Items, list[first:end]...)
	if end < len(list) {
		last := list[end-1]
		last.Quarters = ""
		position, err := json.Marshal(last)
		if err != nil {
			return err
		}
		page.Next = cursorOf(string(position))
	}
	return c.write(http.StatusOK, page)
}

// worstFirst orders by minutes without an ad, then by key.
func worstFirst(a, b apiv1.Coverage) int {
	return cmp.Or(cmp.Compare(b.Without, a.Without), cmp.Compare(a.Country, b.Country), cmp.Compare(a.Lang, b.Lang))
}

// covered is the coverage of all keys of an index on a day, worst first.
func (s *server) covered(index *compile.Result, day time.Time) ([]apiv1.Coverage, error) {
	s.covers.mu.Lock()
	defer s.covers.mu.Unlock()
	if s.covers.list != nil && s.covers.version == index.Version && s.covers.day == day.Unix() {
		return s.covers.list, nil
	}
	r, err := adindex.Reopen(index.Bytes)
	if err != nil {
		return nil, err
	}
	list := cover(r, day.Unix())
	slices.SortFunc(list, worstFirst)
	s.covers.version, s.covers.day, s.covers.list = index.Version, day.Unix(), list
	return list, nil
}

// cover looks at every minute of every key, on all processors.
func cover(r *adindex.Reader, midnight int64) []apiv1.Coverage {
	list := make([]apiv1.Coverage, r.Cursors())
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for first := range workers {
		all.Go(func() {
			for n := first; n < len(list); n += workers {
				list[n] = coverKey(r, r.CursorKey(uint32(n)), midnight)
			}
		})
	}
	all.Wait()
	return list
}

func coverKey(r *adindex.Reader, key adindex.Key, midnight int64) apiv1.Coverage {
	c := apiv1.Coverage{Country: key.Country(), Lang: key.Lang()}
	entry, ok := r.Find(key)
	text := make([]byte, quarters)
	for quarter := range text {
		without := 0
		for minute := range minutesOfQuarter {
			at := midnight + int64(quarter*minutesOfQuarter+minute)*60
			if !ok || r.CycleAt(entry, at).Len() == 0 {
				without++
			}
		}
		switch without {
		case 0:
			text[quarter] = '1'
		case minutesOfQuarter:
			text[quarter] = '0'
		default:
			text[quarter] = '-'
		}
		c.Without += without
	}
	c.Quarters = string(text)
	return c
}
