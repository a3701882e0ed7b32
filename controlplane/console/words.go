package console

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/zone"
)

// words are the functions of the templates: how things are said.
var words = template.FuncMap{
	"acted":      func(kind string) string { return said(acts, kind) },
	"advice":     func(reason string) string { return holdReasons[reason].advice },
	"age":        age,
	"clock":      clock,
	"counts":     counts,
	"days":       days,
	"holds":      func(reason string) string { return holdReasons[reason].why },
	"hours":      hours,
	"inZone":     inZone,
	"instant":    instant,
	"minutes":    minutes,
	"named":      named,
	"maxComment": func() int { return apiv1.MaxComment },
	"number":     number,
	"outranked":  outranked,
	"percent": func(share float64) string {
		return strconv.FormatFloat(math.Round(1000*share)/10, 'f', -1, 64) + "\u00a0%"
	},
	"place":    place,
	"rate":     func(perSecond float64) string { return strconv.FormatFloat(perSecond, 'f', 1, 64) },
	"reason":   func(code string) string { return said(reasons, code) },
	"rejected": func(code string) string { return said(rejections, code) },
	"safe":     isWeb,
	"sentence": func(text string) string { return strings.TrimSuffix(text, ".") + "." },
	"short":    short,
	"since":    func(now, then time.Time) string { return age(now.Sub(then).Seconds()) },
	"weekdays": func() []string { return weekdays },
	"state":    func(code string) string { return said(states, code) },
}

func said(words map[string]string, code string) string {
	if text, ok := words[code]; ok {
		return text
	}
	return strings.ReplaceAll(code, "_", " ")
}

var states = map[string]string{
	apiv1.Running: "Running", apiv1.Scheduled: "Scheduled", apiv1.Paused: "Paused", apiv1.Ended: "Ended", apiv1.Shadowed: "Replaced",
}

var reasons = map[string]string{
	compile.ReasonPaused:        "It is paused.",
	compile.ReasonBeforeFlight:  "Its flight has not begun.",
	compile.ReasonAfterFlight:   "Its flight is over.",
	compile.ReasonWrongDay:      "It does not run on this day of the week.",
	compile.ReasonOutOfHours:    "It is outside of its hours.",
	compile.ReasonLowerPriority: "Campaigns of a higher priority go first.",
	compile.ReasonLessExact:     "Campaigns that name the country and language more exactly go first.",
	compile.ReasonOverridden:    "An operator’s campaign with the same ID replaces it.",
	compile.ReasonInvalid:       "It was rejected.",
	compile.ReasonDuplicate:     "An earlier ad of the document has the same ID.",
}

// outranked is what goes before a campaign that could be served, in words; "" for any other reason.
func outranked(reason string) string {
	switch reason {
	case compile.ReasonLowerPriority:
		return "campaigns of a higher priority go first"
	case compile.ReasonLessExact:
		return "campaigns that name the country and language more exactly go first"
	}
	return ""
}

// holdReasons are why a version is held, and what to do then. Of another reason the API's message says it.
var holdReasons = map[string]struct{ why, advice string }{
	"max_removed_share": {
		"it removes more ads than the guard allows.",
		"If that is meant, confirm it; if not, mend the source’s document or undo the change, and what is held is judged anew.",
	},
	"revision_lost": {
		"operators’ changes are missing.",
		"Restore the operators’ store from its backup, and it is published by itself. Confirm it only if these changes are to be gone.",
	},
}

// acts are how the kinds of actions are said before their version.
var acts = map[string]string{"rollback": "Rolled back to", "resume": "Resumed, after", "confirm": "Confirmed", "refuse": "Refused"}

var rejections = map[string]string{
	"missing_field":     "A field is missing",
	"wrong_type":        "A field has the wrong type",
	"out_of_range":      "A number is out of range",
	"too_long":          "A text is too long",
	"too_many":          "Too many labels",
	"invalid_id":        "Invalid ID",
	"invalid_url":       "Invalid video address",
	"invalid_country":   "Invalid country",
	"invalid_lang":      "Invalid language",
	"invalid_name":      "Invalid name",
	"invalid_labels":    "Invalid labels",
	"invalid_time_zone": "Unknown time zone",
	"invalid_days":      "Invalid days",
	"invalid_time":      "Invalid time",
	"empty_flight":      "Flight ends before it begins",
	"duplicate_field":   "A field stands twice",
	"duplicate":         "ID is used twice",
}

// age is a duration in seconds to the two digits that matter.
func age(seconds float64) string {
	d := time.Duration(math.Max(seconds, 0) * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// clock is an instant in UTC, to the second where it has any.
func clock(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	layout := "2006-01-02 15:04"
	if t.Second() != 0 {
		layout += ":05"
	}
	//nolint:gosec // digits and our own letters
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s UTC</time>`, t.Format(time.RFC3339), t.Format(layout)))
}

// instant is a time of a campaign; zero for what is none.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// inZone is an instant on the wall clock of a zone; "" for UTC, an unknown one, and no time.
func inZone(t time.Time, name string) string {
	if name == "" || name == zone.UTC || t.IsZero() {
		return ""
	}
	loc, err := zone.Load(name)
	if err != nil {
		return ""
	}
	return t.In(loc).Format("Mon 2006-01-02 15:04") + " " + name
}

// place is a country or language of a campaign.
func place(code string) string {
	if code == "*" {
		return "any"
	}
	return code
}

// hours is a window of a day in words.
func hours(start, end int) string {
	switch {
	case start == end, start == 0 && end == 24:
		return "all day"
	case end == 24 || end == 0:
		return fmt.Sprintf("%02d:00–24:00", start)
	case start > end:
		return fmt.Sprintf("%02d:00–%02d:00 next day", start, end)
	default:
		return fmt.Sprintf("%02d:00–%02d:00", start, end)
	}
}

func days(names []string) string {
	if len(names) == 0 {
		return "every day"
	}
	return strings.Join(names, ", ")
}

// minutes is a time of that many.
func minutes(n int) string {
	switch {
	case n <= 120:
		return number(n) + " min"
	case n%60 == 0:
		return fmt.Sprintf("%d h", n/60)
	default:
		return fmt.Sprintf("%d h %d min", n/60, n%60)
	}
}

// number groups thousands.
func number(n int) string {
	digits := strconv.Itoa(n)
	if n < 0 {
		return "−" + number(-n)
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// named are the first campaigns of a revision, and how many more it has; "" where it does not say them.
func named(r apiv1.Revision) string {
	text := strings.Join(r.FirstIDs, ", ")
	if more := r.Changes - len(r.FirstIDs); text != "" && more > 0 {
		text += " and " + number(more) + " more"
	}
	return text
}

// counts are what a revision of several campaigns did to them; "" of one, and where it does not say it.
func counts(r apiv1.Revision) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{r.Added, "added"}, {r.Changed, "changed"}, {r.Removed, "removed"}} {
		if part.n > 0 && r.Changes > 1 {
			parts = append(parts, number(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

// short is the part of a hash that people compare.
func short(hash string) string {
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}

// isWeb reports whether an address may be a link: a page must not run what somebody else wrote.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
