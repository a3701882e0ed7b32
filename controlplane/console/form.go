package console

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"adsidecar/controlplane/apiv1"
)

// input is a field of the form of a campaign. Its limits are the browser's first word; the API's is the last.
type input struct {
	Name, Label, Hint string
	Type              string // of the element: text, number, url, days, lines or check
	Required          bool
	Pattern, Wrong    string // what the browser takes, and what it says of all else
	Min, Max          string
	MaxLength         int
	List              string // id of a list of suggestions

	Value  string
	Saved  string   // of an instant: as it is saved, in UTC and in the campaign's zone
	Days   []string // of days alone: those that are chosen
	Errors []string
}

const instantPattern = `\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:00)?(Z|[+\-]\d{2}:\d{2})`

// inputs are the fields in the order of the form.
var inputs = []input{
	{
		Name: "id", Label: "ID", Type: "text", Required: true, MaxLength: 128,
		Pattern: `[ -~]+`,
		Wrong:   "Use letters, digits and signs of ASCII.",
		Hint:    "One that no campaign has yet. To replace a campaign of the source, open it and save it there.",
	},
	{Name: "name", Label: "Name", Type: "text", MaxLength: 256, Hint: "For you; games never see it."},
	{
		Name: "video_url", Label: "Video address", Type: "url", Required: true, MaxLength: 2048,
		Pattern: `https?://.+`,
		Wrong:   "Use an address that begins with http:// or https://.",
	},
	{
		Name: "country", Label: "Country", Type: "text", Required: true,
		Pattern: `[A-Za-z]{2}|\*`,
		Wrong:   "Use two letters such as us, or * for every country.",
		Hint:    "Two letters, or * for every country.",
	},
	{
		Name: "lang", Label: "Language", Type: "text", Required: true,
		Pattern: `[A-Za-z]{2,3}|\*`,
		Wrong:   "Use two or three letters such as eng, or * for every language.",
		Hint:    "Two or three letters, or * for every language.",
	},
	{Name: "start_hour", Label: "From hour", Type: "number", Required: true, Min: "0", Max: "23", Hint: "0 to 23."},
	{Name: "end_hour", Label: "Until hour", Type: "number", Required: true, Min: "0", Max: "24", Hint: "0 to 24. Equal hours are the whole day."},
	{Name: "time_zone", Label: "Time zone", Type: "text", MaxLength: 64, List: "zones", Hint: "Whose hours and days these are, such as Europe/Berlin. Empty: UTC."},
	{Name: "days", Label: "Days", Type: "days", Hint: "On which the hours begin. None chosen: every day."},
	{
		Name: "start_at", Label: "Flight begins", Type: "text",
		Pattern: instantPattern,
		Wrong:   "Write date, time and offset, such as 2027-03-01T08:00:00+01:00.",
		Hint:    "Such as 2027-03-01T08:00:00+01:00. Empty: has begun.",
	},
	{
		Name: "end_at", Label: "Flight ends", Type: "text",
		Pattern: instantPattern,
		Wrong:   "Write date, time and offset, such as 2027-03-31T20:00:00+02:00.",
		Hint:    "The first minute without it. Empty: no end.",
	},
	{Name: "priority", Label: "Priority", Type: "number", Min: "-100", Max: "100", Hint: "The largest that has an ad wins. Empty: 0."},
	{Name: "weight", Label: "Weight", Type: "number", Min: "1", Max: "100", Hint: "How many turns it has while a campaign of weight 1 has one. Empty: 1."},
	{Name: "enabled", Label: "Enabled", Type: "check", Hint: "Unticked: paused."},
	{Name: "labels", Label: "Labels", Type: "lines", Hint: "One on each line, at most 16."},
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// rank is a field's place in the form.
func rank(name string) int {
	if i := slices.IndexFunc(inputs, func(in input) bool { return in.Name == name }); i >= 0 {
		return i
	}
	return len(inputs)
}

func labelOf(name string) string {
	if i := rank(name); i < len(inputs) {
		return inputs[i].Label
	}
	return name
}

// form is the form of a campaign as it is shown.
type form struct {
	New     bool
	Inputs  []input
	ETag    string // of what it was filled in from; empty: there was nothing
	Was     string // what that was, as JSON; empty: nothing, or not known
	Comment string
	// Errors belong to no single field.
	Errors []string
	Exists string // id of a new one that is there already
}

// document is what is read of a campaign to show it. The API gives it in canonical form.
type document struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	VideoURL  string   `json:"video_url"`
	Country   string   `json:"country"`
	Lang      string   `json:"lang"`
	StartHour int      `json:"start_hour"`
	EndHour   int      `json:"end_hour"`
	TimeZone  string   `json:"time_zone"`
	Days      []string `json:"days"`
	StartAt   string   `json:"start_at"`
	EndAt     string   `json:"end_at"`
	Priority  int      `json:"priority"`
	Weight    int      `json:"weight"`
	Enabled   *bool    `json:"enabled"`
	Labels    []string `json:"labels"`
}

// valuesOf are the form's values of a campaign.
func valuesOf(campaign json.RawMessage) url.Values {
	values := url.Values{"enabled": {"on"}}
	for name, raw := range fieldsOf(campaign) {
		var list []string
		switch {
		case name == "enabled" && string(raw) == "false":
			values.Del(name)
		case name == "enabled":
		case json.Unmarshal(raw, &list) == nil && name == "labels":
			values.Set(name, strings.Join(list, "\n"))
		case json.Unmarshal(raw, &list) == nil:
			values[name] = list
		default:
			values.Set(name, display(raw))
		}
	}
	return values
}

// fill is the form of a campaign that is there.
func fill(found apiv1.Campaign) form {
	values := valuesOf(found.Campaign)
	values.Set("etag", found.ETag)
	values.Set("was", string(found.Campaign))
	f := newForm(values, false)
	f.tellSaved(values)
	return f
}

// tellSaved says beside the instants what is saved.
func (f *form) tellSaved(saved url.Values) {
	for i := range f.Inputs {
		in := &f.Inputs[i]
		if in.Name != "start_at" && in.Name != "end_at" {
			continue
		}
		at := instant(saved.Get(in.Name))
		if local := inZone(at, saved.Get("time_zone")); local != "" {
			in.Saved = at.UTC().Format("2006-01-02 15:04") + " UTC, " + local
		}
	}
}

// newForm shows values, whether they are a campaign's or what somebody typed.
func newForm(values url.Values, isNew bool) form {
	f := form{New: isNew, Inputs: slices.Clone(inputs), ETag: values.Get("etag"), Was: values.Get("was"), Comment: values.Get("comment")}
	for i := range f.Inputs {
		in := &f.Inputs[i]
		in.Value = values.Get(in.Name)
		if in.Type == "days" {
			in.Days = values[in.Name]
		}
	}
	return f
}

// campaignOf is the campaign that was typed. What is no number goes to the API as a text, which says what is wrong with it.
func campaignOf(values url.Values) map[string]any {
	campaign := map[string]any{}
	for _, in := range inputs {
		value := strings.TrimSpace(values.Get(in.Name))
		switch in.Type {
		case "check":
			if value == "" {
				campaign[in.Name] = false
			}
		case "days":
			if chosen := values[in.Name]; len(chosen) > 0 {
				campaign[in.Name] = chosen
			}
		case "lines":
			if lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 0 {
				campaign[in.Name] = lines
			}
		case "number":
			if n, err := strconv.Atoi(value); err == nil {
				campaign[in.Name] = n
			} else if value != "" {
				campaign[in.Name] = value
			}
		default:
			if value != "" {
				campaign[in.Name] = value
			}
		}
	}
	return campaign
}

// fieldNames are those of the API that are no words.
var fieldNames = regexp.MustCompile(`\b(start_at|end_at|start_hour|end_hour|time_zone|video_url)\b`)

// blame puts the API's findings where they belong.
func (f *form) blame(findings []apiv1.FieldError) {
	for _, finding := range findings {
		// It is the form's to name the fields.
		finding.Message = fieldNames.ReplaceAllStringFunc(strings.TrimPrefix(finding.Message, finding.Field+": "), labelOf)
		name, _, _ := strings.Cut(finding.Field, ".")
		name, _, _ = strings.Cut(name, "[")
		if i := rank(name); i < len(f.Inputs) {
			f.Inputs[i].Errors = append(f.Inputs[i].Errors, sentence(f.Inputs[i].Label, finding.Message))
		} else {
			f.Errors = append(f.Errors, sentence(finding.Field, finding.Message))
		}
	}
}

// sentence makes one of a finding that begins with its verb, such as "is missing".
func sentence(subject, finding string) string {
	if finding == "" || finding[0] < 'a' || finding[0] > 'z' {
		return finding
	}
	return subject + " " + strings.TrimSuffix(finding, ".") + "."
}
