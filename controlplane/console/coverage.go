package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

// span is a run of quarters of an hour of one kind.
type span struct {
	Kind     string // all, none or some
	At, Long int    // in quarters of an hour
}

// coverageRow is the day of one key.
type coverageRow struct {
	apiv1.Coverage
	Spans []span
	Text  string // what the picture shows
}

type coverageData struct {
	client.CoverageOf

	Before, After string // days
	Today         bool
	Failure       string
	Rows          []coverageRow
	Total         int
	AllDay        int // without an ad
	InPart        int
	Next, First   string
}

// Of is the address of this page for another day, empty: today, or of the other index.
func (d coverageData) Of(day string, published bool) string {
	of := d.CoverageOf
	of.Day, of.Published = day, published
	return addressOf("/coverage", coverageQuery(of))
}

// All is the address of this page for all keys.
func (d coverageData) All() string {
	return addressOf("/coverage", coverageQuery(client.CoverageOf{Day: d.Day, Published: d.Published}))
}

// coverageQuery has what is said of a coverage; what is not said is left out.
func coverageQuery(of client.CoverageOf) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"day": of.Day, "country": of.Country, "lang": of.Lang} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if of.Published {
		q.Set("published", "true")
	}
	return q
}

const dayLayout = time.DateOnly

func (c *console) coverage(r *http.Request) (*view, error) {
	today := c.now().UTC()
	query := r.URL.Query()
	day, err := time.Parse(dayLayout, query.Get("day"))
	if err != nil {
		day = today
	}
	data := coverageData{
		CoverageOf: client.CoverageOf{
			Day: day.Format(dayLayout), Country: strings.TrimSpace(query.Get("country")), Lang: strings.TrimSpace(query.Get("lang")),
			Published: query.Get("published") == "true",
		},
		Before: day.AddDate(0, 0, -1).Format(dayLayout), After: day.AddDate(0, 0, 1).Format(dayLayout),
		Today: day.Format(dayLayout) == today.Format(dayLayout),
	}
	v := &view{Template: "coverage.html", Title: "Coverage", Section: "coverage"}
	a, err := c.api.CoveragePage(r.Context(), data.CoverageOf, cursorOf(r), pageSize)
	var answered *client.Error
	if errors.As(err, &answered) && answered.Status == http.StatusBadRequest { // a day that no index knows, or what is no code
		data.Failure, v.Status = answered.Message, answered.Status
		v.Data = data
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	found := a.Value
	data.Total, data.AllDay, data.InPart, v.basis = found.Total, found.AllDay, found.InPart, found.Basis
	data.First, data.Next = around(r, coverageQuery(data.CoverageOf), found.Next)
	for _, key := range found.Items {
		spans := spansOf(key.Quarters)
		data.Rows = append(data.Rows, coverageRow{key, spans, coverageText(key, spans)})
	}
	v.Data = data
	return v, nil
}

// spansOf joins equal quarters.
func spansOf(quarters string) []span {
	var spans []span
	for i, quarter := range quarters {
		kind := "some"
		switch quarter {
		case '1':
			kind = "all"
		case '0':
			kind = "none"
		}
		if last := len(spans) - 1; last >= 0 && spans[last].Kind == kind {
			spans[last].Long++
			continue
		}
		spans = append(spans, span{kind, i, 1})
	}
	return spans
}

// maxTold is how many gaps are told in words; the picture has them all.
const maxTold = 6

func coverageText(key apiv1.Coverage, spans []span) string {
	switch key.Without {
	case 0:
		return "An ad at every minute."
	case 24 * 60:
		return "No ad all day."
	}
	var gaps []string
	for _, s := range spans {
		if s.Kind == "all" {
			continue
		}
		words := ""
		if s.Kind == "some" {
			words = " in part"
		}
		gaps = append(gaps, fmt.Sprintf("%s–%s%s", quarterClock(s.At), quarterClock(s.At+s.Long), words))
	}
	more := ""
	if len(gaps) > maxTold {
		more = fmt.Sprintf(" and %d more times", len(gaps)-maxTold)
		gaps = gaps[:maxTold]
	}
	return "No ad " + strings.Join(gaps, ", ") + more + "."
}

func quarterClock(quarter int) string { return fmt.Sprintf("%02d:%02d", quarter/4, quarter%4*15) }
