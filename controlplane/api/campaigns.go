package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// state is the state of a campaign in the minute of a time.
func (i item) state(now time.Time) string {
	from, until := i.Campaign.Flight()
	minute := now.Unix() / 60
	switch {
	case i.shadowed:
		return apiv1.Shadowed
	case i.Campaign.Paused:
		return apiv1.Paused
	case minute >= until:
		return apiv1.Ended
	case minute < from:
		return apiv1.Scheduled
	default:
		return apiv1.Running
	}
}

func (i item) origin() string {
	if i.Operator {
		return apiv1.FromOperator
	}
	return apiv1.FromSource
}

// show is a campaign as clients see it.
func (s *server) show(i item) *apiv1.Campaign {
	now := s.Now().UTC()
	c := &apiv1.Campaign{
		ID: i.Campaign.ID, Origin: i.origin(), State: i.state(now), Campaign: json.RawMessage(i.canonical()),
		Overrides: i.Overridden != nil, PausedByOperator: i.PausedByOperator, ETag: i.etag(), Revision: i.revision,
	}
	if c.Overrides {
		c.Source = campaign.AppendJSON(nil, i.Overridden)
	}
	if i.shadowed {
		return c
	}
	// It fails for a time zone that no decoder lets pass.
	if next, err := compile.NextEligible(i.Campaign, now); err == nil && !next.IsZero() {
		c.NextEligible, c.EligibleNow = next, !next.After(now)
	}
	return c
}

// filter says which campaigns are listed; empty parts let all pass.
type filter struct {
	keyFilter

	state, origin, text string
}

var (
	states  = []string{apiv1.Running, apiv1.Scheduled, apiv1.Paused, apiv1.Ended, apiv1.Shadowed}
	origins = []string{apiv1.FromSource, apiv1.FromOperator}
)

// readFilter reads the parameters of a list. Countries and languages are compared in their canonical form; * is that of campaigns for all.
func readFilter(q url.Values) (filter, error) {
	k, err := readKeyFilter(q)
	if err != nil {
		return filter{}, err
	}
	f := filter{keyFilter: k, state: q.Get("state"), origin: q.Get("origin"), text: strings.ToLower(q.Get("q"))}
	if f.state != "" && !slices.Contains(states, f.state) {
		return filter{}, badField("state", "state must be one of "+strings.Join(states, ", ")+".")
	}
	if f.origin != "" && !slices.Contains(origins, f.origin) {
		return filter{}, badField("origin", "origin must be one of "+strings.Join(origins, ", ")+".")
	}
	return f, nil
}

func (f filter) match(i item, now time.Time) bool {
	c := i.Campaign
	return f.has(c.Country, c.Lang) &&
		(f.origin == "" || f.origin == i.origin()) && (f.state == "" || f.state == i.state(now)) && f.matchText(c)
}

func (f filter) matchText(c *campaign.Campaign) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), f.text) }
	return f.text == "" || has(c.ID) || has(c.Name) || has(c.VideoURL) || slices.ContainsFunc(c.Labels, has)
}

func (s *server) listCampaigns(c *call) error {
	q, err := c.params("country", "lang", "state", "origin", "q", "limit", "cursor")
	if err != nil {
		return err
	}
	f, err := readFilter(q)
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	after, err := readCursor(q)
	if err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	items := v.list()
	if f.state == apiv1.Shadowed {
		items = v.shadowed()
	}
	return c.write(http.StatusOK, s.page(items, f, after, limit))
}

// page is the items behind the id after that pass the filter.
func (s *server) page(items []item, f filter, after string, limit int) apiv1.Page[apiv1.Campaign] {
	now := s.Now()
	page := apiv1.Page[apiv1.Campaign]{Items: []apiv1.Campaign{}}
	first := sort.Search(len(items), func(n int) bool { return items[n].Campaign.ID > after })
	last := ""
	for n, i := range items {
		if !f.match(i, now) {
			continue
		}
		page.Total++
		switch {
		case n < first:
		case len(page.Items) < limit:
			page.Items = append(page.Items, *s.show(i))
			last = i.Campaign.ID
		default:
			page.Next = cursorOf(last)
		}
	}
	return page
}

func (s *server) getCampaign(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	i, ok := v.get(c.args[0])
	if !ok {
		return errNoCampaign
	}
	shown := s.show(i)
	c.w.Header().Set("ETag", shown.ETag)
	return c.write(http.StatusOK, shown)
}
