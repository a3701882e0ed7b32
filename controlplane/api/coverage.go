package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/filter/adindex"
)

// An index has the days from yesterday to thirteen days ahead.
const (
	daysBehind = 1
	daysAhead  = 13
)

func (s *server) coverage(c *call) error {
	q, err := c.params("day", "country", "lang", "published", "limit", "cursor")
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
	only, err := readKeyFilter(q)
	if err != nil {
		return err
	}
	day, err := s.readDay(q)
	if err != nil {
		return err
	}
	ofPublished := false
	if q.Has("published") {
		if ofPublished, err = strconv.ParseBool(q.Get("published")); err != nil {
			return badField("published", "published must be true or false.")
		}
	}
	page := apiv1.CoveragePage{Page: apiv1.Page[apiv1.Coverage]{Items: []apiv1.Coverage{}}, Basis: s.basis(nil)}
	version, index, err := s.shown(c, ofPublished)
	if err != nil {
		return err
	}
	if ofPublished {
		page.Basis = apiv1.Basis{Version: version}
	}
	all, err := s.covered(c.Context(), version, index, day)
	if err != nil {
		return err
	}
	list := all
	if only != (keyFilter{}) {
		list = slices.Collect(func(yield func(apiv1.Coverage) bool) {
			for _, k := range all {
				if only.has(k.Country, k.Lang) && !yield(k) {
					return
				}
			}
		})
	}
	page.Total = len(list)
	for _, k := range list {
		switch k.Without {
		case 0:
		case minutesOfDay:
			page.AllDay++
		default:
			page.InPart++
		}
	}
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

// readDay reads the day that is asked for: its midnight, UTC.
func (s *server) readDay(q url.Values) (day time.Time, err error) {
	today := s.Now().UTC().Truncate(24 * time.Hour)
	if !q.Has("day") {
		return today, nil
	}
	if day, err = time.Parse(time.DateOnly, q.Get("day")); err != nil {
		return day, badField("day", "day must be a day such as 2027-03-01.")
	}
	if first, last := today.AddDate(0, 0, -daysBehind), today.AddDate(0, 0, daysAhead); day.Before(first) || day.After(last) {
		return day, badField("day", fmt.Sprintf("day must be from %s to %s, which an index has.", first.Format(time.DateOnly), last.Format(time.DateOnly)))
	}
	return day, nil
}

// shown is the index that an answer is of: what is published, or the candidate.
func (s *server) shown(c *call, published bool) (version string, index *adindex.Reader, err error) {
	if published {
		return s.published(c)
	}
	candidate := s.Publisher.View()
	if candidate == nil || candidate.Index == nil {
		return "", nil, errNoIndex
	}
	index, err = adindex.Reopen(candidate.Index.Bytes)
	return candidate.Index.Version, index, err
}
