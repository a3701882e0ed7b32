package console

import (
	"net/http"
	"strconv"
	"strings"
)

// outcome is what a form did, in our words.
type outcome struct {
	Before, ID, After string // ID: the campaign; empty: none, or not known
	Revision          uint64 // that can be undone; 0: none is known
}

// done says what a form did. The address has its key, so that nobody's link can put words into our page; {} is where the campaign goes.
var done = map[string]string{
	"created":  "The campaign{} is created.",
	"saved":    "The campaign{} is saved.",
	"paused":   "The campaign{} is paused.",
	"unpaused": "The campaign{} is not paused any more.",
	"still":    "The campaign{} is not paused here any more, but its source has it paused.",
	"deleted":  "The campaign{} is deleted.",
	"restored": "Your campaign{} is deleted. The source’s campaign with this ID takes its place again.",
	"reverted": "The change is undone, as a new revision.",
	"rolled":   "The version is pinned. It is published in a moment, and stays until you resume.",
	"resumed":  "Resumed. The newest version is published in a moment, unless a guard holds it.",
	"confirm":  "The held version is confirmed. It is published in a moment, unless another is pinned.",
	"refuse":   "The held version is refused.",
	"imported": "The document is imported, as this revision.",
	"poll":     "The source is being asked now.",
}

// published says what a form did whose version is the published one by now.
var published = map[string]string{
	"rolled":  "The version is pinned and published. It stays until you resume.",
	"confirm": "The held version is confirmed and published.",
}

// outcome is what r's address says was just done; nil: nothing. The campaign is the revision's, whatever the address calls it.
func (c *console) outcome(r *http.Request, version string) *outcome {
	asked := r.URL.Query()
	text, ok := done[asked.Get("done")]
	if !ok {
		return nil
	}
	if now, ok := published[asked.Get("done")]; ok && version != "" && asked.Get("version") == version {
		text = now
	}
	var o outcome
	if number, err := strconv.ParseUint(asked.Get("revision"), 10, 64); err == nil {
		if found, err := c.api.RevisionPage(r.Context(), number, "", 1); err == nil {
			o.Revision = number
			if found.Value.Changes == 1 && len(found.Value.Items) == 1 {
				o.ID = found.Value.Items[0].ID
			}
		} // else it is done all the same
	}
	o.Before, o.After, _ = strings.Cut(text, "{}")
	return &o
}
