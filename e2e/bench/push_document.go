package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"adsidecar/e2e/bench/workload"
)

// idStart is what each ad of a document begins with; its id ends with the revision.
var idStart = []byte(`{"id":"`)

const (
	idLength       = 32
	revisionLength = 8
)

// document is a campaign document in a file, whose revision can be changed: that is in every id, so an answer tells which one it is of.
type document struct {
	file     string
	data     []byte
	at       []int // where the revisions are
	revision uint32
}

// newDocument makes the first revision, 0, and writes it. Fewer ads than a workload has keys are one ad for each of the first keys.
func newDocument(file string, ads int) (*document, error) {
	d := &document{file: file}
	if ads < workload.Keys {
		d.data = firstKeys(workload.Document(workload.Config{Seed: workload.Standard(0).Seed, Always: true}), ads)
	} else {
		d.data = workload.Document(workload.Standard(ads))
	}
	for from := 0; ; {
		i := bytes.Index(d.data[from:], idStart)
		if i < 0 {
			break
		}
		from += i + len(idStart) + idLength
		d.at = append(d.at, from-revisionLength)
	}
	if len(d.at) < ads {
		return nil, fmt.Errorf("found %d ids in a document of %d ads", len(d.at), ads)
	}
	return d, d.write()
}

// next writes the next revision in place of the last, in one step.
func (d *document) next() error {
	d.revision++
	digits := fmt.Appendf(nil, "%08x", d.revision)
	for _, i := range d.at {
		copy(d.data[i:], digits)
	}
	return d.write()
}

func (d *document) write() error {
	temporary := d.file + ".tmp"
	if err := os.WriteFile(temporary, d.data, 0o600); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	if err := os.Rename(temporary, d.file); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// revisionOf is the revision that an answer's body is of.
func revisionOf(body []byte) (uint32, error) {
	_, id, found := bytes.Cut(body, idStart)
	if !found || len(id) < idLength {
		return 0, errors.New("an answer without an id")
	}
	var revision uint32
	if _, err := fmt.Sscanf(string(id[idLength-revisionLength:idLength]), "%08x", &revision); err != nil {
		return 0, fmt.Errorf("read an id's revision: %w", err)
	}
	return revision, nil
}
