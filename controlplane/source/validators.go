package source

import (
	"encoding/json"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"adsidecar/controlplane/campaign"
)

const (
	// modifiedMargin is how much older than the answer's Date a Last-Modified must be to be used: in the same
	// second the document may change once more without its Last-Modified changing (RFC 9110, 8.8.2.2 asks for one
	// second; file systems take their times from a coarser clock than servers their Date).
	modifiedMargin = 2 * time.Second

	// modifiedTrust is how long a document is taken for unchanged by its Last-Modified alone. Servers compare it by
	// "not newer", so a document replaced by an older file, as in a rollback, is seen by a full read only.
	modifiedTrust = time.Minute

	maxTagBytes = 1024
)

// validators are what a server lets a client ask "still the same?" with.
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

func validatorsOf(h http.Header) validators {
	v := validators{ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified")}
	if len(v.ETag) > maxTagBytes {
		v.ETag = ""
	}
	modified, err := http.ParseTime(v.LastModified)
	if err != nil {
		return validators{ETag: v.ETag}
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || date.Sub(modified) < modifiedMargin {
		return validators{ETag: v.ETag}
	}
	return v
}

func (v validators) apply(h http.Header) {
	if v.ETag != "" {
		h.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		h.Set("If-Modified-Since", v.LastModified)
	}
}

// conditions returns what the next request asks with: nothing if the document must be read in full.
func (h *HTTP) conditions() validators {
	if h.lastTags.ETag == "" && h.now().Sub(h.readAt) >= modifiedTrust {
		return validators{}
	}
	return h.lastTags
}

// Position returns an opaque text for Resume. It belongs to the document that Poll returned last.
func (h *HTTP) Position() string {
	text, err := json.Marshal(h.lastTags)
	if err != nil {
		return "" // two strings always encode
	}
	return string(text)
}

// Resume makes data, which an earlier process polled from the same source and accepted, the last document; position is
// what Position returned then. A position that cannot be read costs one full read.
func (h *HTTP) Resume(last campaign.Snapshot, position string) {
	h.last.set(last.Data)
	h.readAt = h.now()
	h.lastTags = parseValidators(position)
}

// parseValidators reads a position; what is none, or cannot be sent, is nothing.
func parseValidators(position string) validators {
	var v validators
	if err := json.Unmarshal([]byte(position), &v); err != nil ||
		!httpguts.ValidHeaderFieldValue(v.ETag) || !httpguts.ValidHeaderFieldValue(v.LastModified) {
		return validators{}
	}
	return v
}
