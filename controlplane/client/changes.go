package client

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"adsidecar/controlplane/apiv1"
)

// FieldChanges compares two campaigns, or other JSON objects, field by field, in order of the fields' names. What is absent, null or no
// object has no fields. Values are compact, and empty where there is none; those that differ in white space alone are the same.
func FieldChanges(before, after json.RawMessage) []apiv1.FieldChange {
	old, present := fieldsOf(before), fieldsOf(after)
	names := maps.Clone(old)
	maps.Copy(names, present)
	var changes []apiv1.FieldChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(old[name], present[name]) {
			changes = append(changes, apiv1.FieldChange{Field: name, Before: old[name], After: present[name]})
		}
	}
	return changes
}

// fieldsOf are the fields of a JSON object that have a value. It is never nil.
func fieldsOf(object json.RawMessage) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(object, &fields) != nil || fields == nil {
		return map[string]json.RawMessage{}
	}
	for name, value := range fields {
		var compact bytes.Buffer
		if Absent(value) {
			delete(fields, name)
		} else if json.Compact(&compact, value) == nil { // as it is of what was decoded
			fields[name] = compact.Bytes()
		}
	}
	return fields
}

// Absent reports whether there is no value: none at all, or null.
func Absent(text json.RawMessage) bool {
	text = bytes.TrimSpace(text)
	return len(text) == 0 || bytes.Equal(text, []byte("null"))
}
