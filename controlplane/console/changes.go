package console

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
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
	case client.Absent(before):
		kind = "added"
	case client.Absent(after):
		kind = "removed"
	}
	return adChange{ID: id, Kind: kind, Fields: differences(before, after)}
}

// differences are the fields in which two campaigns differ, in the order of the form, those that it does not know at the end.
func differences(before, after json.RawMessage) []difference {
	changes := client.FieldChanges(before, after)
	slices.SortStableFunc(changes, func(a, b apiv1.FieldChange) int { return rank(a.Field) - rank(b.Field) })
	var found []difference
	for _, c := range changes {
		if a, b := display(c.Before), display(c.After); inUTC(a) != inUTC(b) {
			found = append(found, difference{labelOf(c.Field), a, b})
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

// fieldsOf is empty for what is no object.
func fieldsOf(text json.RawMessage) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil
	}
	return fields
}

// display is a field's value, compact, without the signs of JSON where they say nothing.
func display(value json.RawMessage) string {
	if client.Absent(value) {
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
	return string(value)
}
