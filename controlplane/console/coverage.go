package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
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
	Day, Before, After string
	Today              bool
	Failure            string
	Rows               []coverageRow
	Total              int
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
	found, err := paged[apiv1.Coverage](c, r, "/coverage", url.Values{"day": {data.Day}})
	var answered *apiError
	if errors.As(err, &answered) && answered.status == http.StatusBadRequest { // a day that no index knows
		data.Failure, v.Status = answered.Message, answered.status
		v.Data = data
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	data.Total, data.Next, data.First = found.Total, found.next, found.first
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
