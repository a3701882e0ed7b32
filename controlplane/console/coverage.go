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
	Country, Lang      string // that are looked for
	Day, Before, After string
	Today              bool
	Failure            string
	Rows               []coverageRow
	Total, More        int // More are not shown, where a key is looked for
	Next, First        string
}

const dayLayout = time.DateOnly

func (c *console) coverage(r *http.Request) (*view, error) {
	today := c.now().UTC()
	day, err := time.Parse(dayLayout, r.URL.Query().Get("day"))
	if err != nil {
		day = today
	}
	data := coverageData{
		Day: day.Format(dayLayout), Before: day.AddDate(0, 0, -1).Format(dayLayout), After: day.AddDate(0, 0, 1).Format(dayLayout),
		Today: day.Format(dayLayout) == today.Format(dayLayout),
	}
	v := &view{Template: "coverage.html", Title: "Coverage", Section: "coverage"}
	data.Country, data.Lang = strings.TrimSpace(r.URL.Query().Get("country")), strings.TrimSpace(r.URL.Query().Get("lang"))
	found, err := c.covered(r, data)
	var answered *client.Error
	if errors.As(err, &answered) && answered.Status == http.StatusBadRequest { // a day that no index knows
		data.Failure, v.Status = answered.Message, answered.Status
		v.Data = data
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	data.Total, v.basis = found.Total, found.Basis
	data.First, data.Next = around(r, url.Values{"day": {data.Day}}, found.Next)
	if data.Country != "" || data.Lang != "" {
		data.More = found.Total - len(found.Items)
	}
	for _, key := range found.Items {
		spans := spansOf(key.Quarters)
		data.Rows = append(data.Rows, coverageRow{key, spans, coverageText(key, spans)})
	}
	v.Data = data
	return v, nil
}

const (
	// maxFound is how many keys that were looked for are shown.
	maxFound = 200
	// maxPart is how many keys are asked for at a time where all are looked through: the most that the API gives.
	maxPart = 1000
)

// covered is the page that r asks for; where a country or language is looked for, it is of all keys with it, and has no other pages.
func (c *console) covered(r *http.Request, data coverageData) (apiv1.CoveragePage, error) {
	if data.Country == "" && data.Lang == "" {
		a, err := c.api.CoveragePage(r.Context(), data.Day, cursorOf(r), pageSize)
		return a.Value, err
	}
	var found apiv1.CoveragePage
	for cursor := ""; ; {
		a, err := c.api.CoveragePage(r.Context(), data.Day, cursor, maxPart)
		if err != nil {
			return found, err
		}
		found.Basis = a.Value.Basis
		for _, key := range a.Value.Items {
			if !matches(data.Country, key.Country) || !matches(data.Lang, key.Lang) {
				continue
			}
			if found.Total++; found.Total <= maxFound {
				found.Items = append(found.Items, key)
			}
		}
		if a.Value.Next == "" || a.Value.Next == cursor {
			return found, nil
		}
		cursor = a.Value.Next
	}
}

func matches(asked, code string) bool { return asked == "" || strings.EqualFold(asked, code) }

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
