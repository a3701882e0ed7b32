package campaign

import (
	"errors"
	"time"
)

// ErrNotModified is what a source's Poll returns when nothing changed since its last successful Poll.
var ErrNotModified = errors.New("campaign document not modified")

// Snapshot is a document as a source read it. Whoever holds it may read Data and must not write to it.
type Snapshot struct {
	Data []byte

	// SourceTime is the age of the content: Last-Modified or mtime if the source gives one, else the time at which
	// this content was first seen.
	SourceTime time.Time

	// SHA256 is that of Data, in hex. Empty: whoever made this snapshot had no need of it.
	SHA256 string
}
