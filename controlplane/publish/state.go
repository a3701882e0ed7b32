package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

// The file of the last good document is one line that names the format, its version and the checksum of the rest, one
// line of JSON with the metadata, and the document as the source gave it:
//
//	adsidecar-last-good 1 sha256:9f86…\n
//	{"source":"http 3d1c…","location":"https://…",…}\n
//	{"ads":[…]}
//
// One file, so that document and metadata cannot come apart; text, so that an operator can read and cut it.
const (
	stateVersion = "1"
	stateSum     = " sha256:"

	maxStateHeader = 128
)

// kind is what a file of the state directory begins with.
type kind string

const (
	goodKind  kind = "adsidecar-last-good "
	indexKind kind = "adsidecar-last-index "
	storeKind kind = "adsidecar-last-store "
)

func (k kind) name() string {
	switch k {
	case indexKind:
		return "last published index"
	case storeKind:
		return "record of the operators' store"
	}
	return "last good document"
}

// lastGood is a document whose index was published, with what is needed to go on from it.
type lastGood struct {
	metadata
	Data []byte
}

type metadata struct {
	Source     string    `json:"source"`   // identity of the source
	Location   string    `json:"location"` // for people
	SourceTime time.Time `json:"source_time"`
	ReadAt     time.Time `json:"read_at"`
	Position   string    `json:"position,omitempty"`
}

// writeTo writes the file.
func (g *lastGood) writeTo(w io.Writer) error { return writeChecked(w, goodKind, g.metadata, g.Data) }

// parseLastGood reads the bytes of a file. The result keeps data. It never panics, and it accepts nothing that writeTo
// has not written whole.
func parseLastGood(data []byte) (*lastGood, error) {
	g := &lastGood{}
	var err error
	if g.Data, err = parseChecked(data, goodKind, &g.metadata); err != nil {
		return nil, err
	}
	return g, nil
}

// writeChecked writes metadata and content behind a line that has their checksum.
func writeChecked(w io.Writer, k kind, metadata any, content []byte) error {
	meta, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	meta = append(meta, '\n')
	sum := sha256.New()
	for _, part := range [][]byte{meta, content} {
		_, _ = sum.Write(part) // never fails
	}
	for _, part := range [][]byte{stateHeader(k, sum), meta, content} {
		if _, err := w.Write(part); err != nil {
			return err // names the file
		}
	}
	return nil
}

func stateHeader(k kind, sum hash.Hash) []byte {
	return []byte(string(k) + stateVersion + stateSum + hex.EncodeToString(sum.Sum(nil)) + "\n")
}

// parseChecked reads what writeChecked has written. The content is a part of data.
func parseChecked(data []byte, k kind, metadata any) (content []byte, err error) {
	header, rest, found := bytes.Cut(data, []byte{'\n'})
	if !found || len(header) > maxStateHeader || !bytes.HasPrefix(header, []byte(k)) {
		return nil, fmt.Errorf("not a %s", k.name())
	}
	version, _, _ := strings.Cut(string(header[len(k):]), " ")
	if version != stateVersion {
		return nil, fmt.Errorf("format %q, this program reads %q", version, stateVersion)
	}
	sum := sha256.New()
	_, _ = sum.Write(rest) // never fails
	if want := stateHeader(k, sum); !bytes.Equal(data[:len(header)+1], want) {
		return nil, errors.New("checksum does not match: the file is damaged or truncated")
	}
	meta, content, found := bytes.Cut(rest, []byte{'\n'})
	if !found {
		return nil, errors.New("no content after the metadata")
	}
	if err := json.Unmarshal(meta, metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return content, nil
}
