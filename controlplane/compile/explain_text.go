package compile

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

const minuteLayout = "2006-01-02 15:04 UTC"

// WriteText writes the explanation for people. It returns the error of w.
func (e Explanation) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, e.String())
	return err
}

// String returns the explanation for people, in columns.
func (e Explanation) String() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // b takes every write

	p("country %s, lang %s (%s), %s\n", e.Country, e.Lang, strings.Join(e.Aliases, " "), e.At.Format(minuteLayout))
	switch {
	case e.Key == "":
		p("no campaign has this key: 404 no_ad_available\n")
	case len(e.Eligible) == 0:
		p("key %s answers, no ad is eligible: 404 no_ad_available\n", e.Key)
	default:
		p("key %s answers, ads eligible: %d\n", e.Key, len(e.Eligible))
	}
	if len(e.Eligible) > 0 {
		p("\nTURN\tID\tHOURS\tURL\n")
		for i, ad := range e.Eligible {
			p("%d\t%s\t%s\t%s\n", i+1, ad.ID, ad.hours(), ad.VideoURL)
		}
	}
	if len(e.Cycle) > len(e.Eligible) {
		p("\ncycle of %d turns:%s\n", len(e.Cycle), e.turns())
	}
	if len(e.Waiting) > 0 {
		p("\nWAITING\tHOURS\tREASON\tNEXT\n")
		for _, ad := range e.Waiting {
			p("%s\t%s\t%s\t%s\n", ad.ID, ad.hours(), ad.Reason, ad.next())
		}
	}
	if len(e.Rejected) > 0 {
		p("\nREJECTED\tLINE\tID\tREASON\tDETAIL\n")
		for _, r := range e.Rejected {
			p("ad %d\t%d\t%s\t%s\t%s\n", r.Reject.Index+1, r.Reject.Line, dash(r.Reject.ID), r.Reason, r.detail())
		}
	}
	if e.RejectedMore > 0 {
		p("\nand %d more rejected ads of the document, of this key or of others\n", e.RejectedMore)
	}
	_ = t.Flush() // as above
	return b.String()
}

// shownTurns is how many turns of a cycle are written for people.
const shownTurns = 100

func (e Explanation) turns() string {
	var b strings.Builder
	for i, ad := range e.Cycle {
		if i == shownTurns {
			b.WriteString(" …")
			break
		}
		b.WriteString(" " + e.Eligible[ad].ID)
	}
	return b.String()
}

// hours returns the window with what is not every day and UTC.
func (a Ad) hours() string {
	hours := "all day"
	if a.StartHour != a.EndHour%dayHours {
		hours = fmt.Sprintf("%02d-%02d", a.StartHour, a.EndHour)
	}
	if len(a.Days) > 0 {
		hours += " " + strings.Join(a.Days, ",")
	}
	if a.TimeZone != "" {
		hours += " " + a.TimeZone
	}
	return hours
}

func (w Waiting) next() string {
	if w.NextEligible.IsZero() {
		return "-"
	}
	return w.NextEligible.Format(minuteLayout)
}

func (r Rejected) detail() string {
	place := r.Reject.Reason
	if r.Reject.Field != "" {
		place += " " + r.Reject.Field
	}
	return place + ": " + r.Reject.Detail
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var _ fmt.Stringer = Explanation{}
