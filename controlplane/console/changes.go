package console

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
)

// absent is shown for a field that a campaign does not have.
const absent = "–"

// difference is a field of a campaign in two states, for people.
type difference struct{ Label, Before, After string }

// adChange is a campaign in two states.
type adChange struct {
	ID, Kind string // Kind: added, removed or changed
	Fields   []difference
}

// changeOf compares two states of a campaign, of which one may be absent.
func changeOf(id string, before, after json.RawMessage) adChange {
	kind := "changed"
	switch {
	case isNull(before):
		kind = "added"
	case isNull(after):
		kind = "removed"
	}
	return adChange{ID: id, Kind: kind, Fields: differences(before, after)}
}

func changesOf(ads []apiv1.AdChange) []adChange {
	all := make([]adChange, len(ads))
	for i, ad := range ads {
		all[i] = changeOf(ad.ID, ad.Before, ad.After)
	}
	return all
}

// differences are the fields in which two campaigns differ, in the order of the form, those that it does not know at the end.
func differences(before, after json.RawMessage) []difference {
	old, present := fieldsOf(before), fieldsOf(after)
	var names []string
	for name := range old {
		names = append(names, name)
	}
	for name := range present {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if byForm := rank(a) - rank(b); byForm != 0 {
			return byForm
		}
		return strings.Compare(a, b)
	})
	var found []difference
	for _, name := range names {
		if a, b := display(old[name]), display(present[name]); inUTC(a) != inUTC(b) {
			found = append(found, difference{labelOf(name), a, b})
		}
	}
	return found
}

// inUTC is an instant as it is in UTC, and all else as it is: the canonical form of a time is another than the typed one.
func inUTC(text string) string {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC().Format(time.RFC3339)
	}
	return text
}

func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// fieldsOf is empty for what is no object.
func fieldsOf(text json.RawMessage) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil
	}
	return fields
}

// display is a field's value without the signs of JSON where they say nothing.
func display(value json.RawMessage) string {
	if isNull(value) {
		return absent
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return strings.Join(list, ", ")
	}
	var compact bytes.Buffer
	if json.Compact(&compact, value) != nil {
		return string(value)
	}
	return compact.String()
}
