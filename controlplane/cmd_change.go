package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// printChange prints what becomes of one campaign: "~ spring: weight 1 → 3".
func printChange(w io.Writer, id string, before, after json.RawMessage) error {
	switch {
	case absent(before):
		return say(w, "+ %s%s", id, described(after))
	case absent(after):
		return say(w, "- %s", id)
	}
	return say(w, "~ %s: %s", id, changedFields(before, after))
}

func absent(text json.RawMessage) bool {
	text = bytes.TrimSpace(text)
	return len(text) == 0 || bytes.Equal(text, []byte("null"))
}

func described(text json.RawMessage) string {
	c := readCampaign(text)
	if c.Country == "" {
		return ""
	}
	return fmt.Sprintf(": %s/%s %s", c.Country, c.Lang, c.hours())
}

// changedFields compares two JSON objects field by field.
func changedFields(before, after json.RawMessage) string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return "changed"
	}
	fields := maps.Clone(a)
	maps.Copy(fields, b)
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if was, is := value(a[name]), value(b[name]); was != is {
			changes = append(changes, fmt.Sprintf("%s %s → %s", name, was, is))
		}
	}
	if len(changes) == 0 {
		return "unchanged"
	}
	return strings.Join(changes, ", ")
}

// value is compact JSON; a dash for none.
func value(text json.RawMessage) string {
	var b bytes.Buffer
	if len(text) == 0 || json.Compact(&b, text) != nil {
		return "-"
	}
	return b.String()
}
