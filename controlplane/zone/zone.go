// Package zone owns the time zones: names, and at which instants a zone's offset from UTC changes.
//
// Its tz database is embedded in the program and never the machine's, so that replicas agree on every offset, whatever they run on; that is
// why nothing here calls time.LoadLocation. README.md has the database's origin. A zone is parsed when it is first asked for.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// version is the release of the tz database in zoneinfo.zip, which does not say so itself.
const version = "2025c"

//go:embed zoneinfo.zip
var zoneinfo []byte

// UTC is the name of the zone without an offset.
const UTC = "UTC"

// placeholder is the database's name for a zone that has not been set; nobody lives in it.
const placeholder = "Factory"

var errUnknown = errors.New("no such name in the tz database " + version)

// Version returns the release of the tz database, such as "2025c".
func Version() string { return version }

// Names returns the names of all zones, in order of their bytes. The caller may change the slice.
func Names() []string {
	names := make([]string, 0, len(zones()))
	for name := range zones() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Load returns the zone with a name of the tz database, which is compared exactly. The empty name and "Local" have a meaning for
// time.LoadLocation and are unknown here. Any number of goroutines may call it; all get the same *time.Location.
func Load(name string) (*time.Location, error) {
	z, ok := zones()[name]
	if !ok {
		return nil, errUnknown
	}
	return z()
}

// zones are the loaders of all zones by name: a name is never a path to anything.
var zones = sync.OnceValue(func() map[string]func() (*time.Location, error) {
	all := make(map[string]func() (*time.Location, error))
	archive, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return all // the file is part of the program, and a test reads all of it
	}
	for _, file := range archive.File {
		if file.Name != placeholder {
			all[file.Name] = sync.OnceValues(func() (*time.Location, error) { return parse(file) })
		}
	}
	return all
})

func parse(file *zip.File) (*time.Location, error) {
	if file.Name == UTC {
		return time.UTC, nil
	}
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("open zone %s: %w", file.Name, err)
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read zone %s: %w", file.Name, err)
	}
	loc, err := time.LoadLocationFromTZData(file.Name, data)
	if err != nil {
		return nil, fmt.Errorf("parse zone %s: %w", file.Name, err)
	}
	return loc, nil
}
