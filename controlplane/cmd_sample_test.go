package main

import (
	"encoding/json"
	"time"

	"adsidecar/controlplane/apiv1"
)

const secretToken = "s3cr3t-t0ken"

var (
	evening = time.Date(2026, 12, 24, 20, 30, 15, 0, time.UTC)
	hostile = "a\x1b[31m\tred\u202e\u009b2J\n" // what a terminal would obey

	spring   = json.RawMessage(`{"id":"spring","name":"Spring sale","video_url":"https://v/s","country":"us","lang":"eng","start_hour":8,"end_hour":20,"weight":3,"days":["mon","fri"],"time_zone":"America/New_York"}`)
	springBy = apiv1.Campaign{
		ID: "spring", Origin: apiv1.FromOperator, State: apiv1.Running, Campaign: spring, Overrides: true, ETag: `"7-ab"`, Revision: 7,
		NextEligible: evening.Truncate(time.Minute), EligibleNow: true,
	}
	night = apiv1.Campaign{
		ID: "night", Origin: apiv1.FromSource, State: apiv1.Paused, ETag: `"0-cd"`, PausedByOperator: true, NextEligible: evening.Truncate(time.Minute),
		Campaign: json.RawMessage(`{"id":"night","name":` + quoted(hostile) + `,"video_url":"https://v/n","country":"*","lang":"fre","start_hour":0,"end_hour":24,"priority":-5}`),
	}
	saved  = apiv1.Saved{Revision: 8, Note: "The source's campaign is served again."}
	diffed = apiv1.Diff{
		Added: 1, Changed: 1, Removed: 3, Keys: 4, BytesBefore: 1000, BytesAfter: 900,
		Ads: []apiv1.AdChange{
			{ID: "new", After: spring},
			{ID: "old", Before: spring},
			{ID: "other", Before: json.RawMessage(`{"id":"other","weight":1,"name":"x"}`), After: json.RawMessage(`{"id":"other","weight":3,"days":["mon"]}`)},
		},
	}
	conflict = apiv1.Conflict{
		Message: "It was changed meanwhile.", Code: "revision_conflict", Present: &springBy,
		Changed: []apiv1.FieldChange{{Field: "weight", Before: json.RawMessage("5"), After: json.RawMessage("3")}, {Field: "name", Before: json.RawMessage(`"\u202e"`), After: json.RawMessage("null")}},
	}
	invalid = apiv1.Invalid{
		Message: "The document has invalid campaigns.", Code: "invalid_document", More: 2,
		Fields: []apiv1.FieldError{{Field: "end_hour", Code: "out_of_range", Message: "must be 0 to 24, is 25", Row: 2, Line: 14, ID: hostile}, {Code: "malformed", Message: "is no object", Row: 3}, {Field: "lang", Code: "missing_field", Message: "lang: is missing"}},
	}
)

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

func refusal(status int, code, message string) reply {
	return reply{status, map[string]string{"code": code, "message": message}}
}

// lined is an answer line by line.
type lined []string

func page[T any](items ...T) apiv1.Page[T] { return apiv1.Page[T]{Items: items, Total: len(items)} }
