package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"adsidecar/controlplane/client"
)

// printChange prints what becomes of one campaign: "~ spring: weight 1 → 3".
func printChange(w io.Writer, id string, before, after json.RawMessage) error {
	switch {
	case client.Absent(before):
		return say(w, "+ %s%s", id, described(after))
	case client.Absent(after):
		return say(w, "- %s", id)
	}
	return say(w, "~ %s: %s", id, changedFields(before, after))
}

func described(text json.RawMessage) string {
	c := readCampaign(text)
	if c.Country == "" {
		return ""
	}
	return fmt.Sprintf(": %s/%s %s", c.Country, c.Lang, c.hours())
}

// changedFields says in which fields two campaigns differ.
func changedFields(before, after json.RawMessage) string {
	var changes []string
	for _, c := range client.FieldChanges(before, after) {
		changes = append(changes, fmt.Sprintf("%s %s → %s", c.Field, orDash(string(c.Before)), orDash(string(c.After))))
	}
	if len(changes) == 0 {
		return "unchanged"
	}
	return strings.Join(changes, ", ")
}
