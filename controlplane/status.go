package main

import (
	"runtime/debug"
	"time"

	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
	"adsidecar/filter/adindex"
)

// status is the answer of GET /api/v1/status.
type status struct {
	Version string    `json:"version"` // of this program
	Format  int       `json:"index_format"`
	Started time.Time `json:"started"`
	Time    time.Time `json:"time"`
	publish.Status
	XDS      xds.Status      `json:"xds"`
	Counters counters.Status `json:"counters"`
}

func newStatus(started time.Time, loop *publish.Loop, fleet *xds.Server, reported *counters.Service) status {
	return status{
		Version:  programVersion(),
		Format:   adindex.FormatVersion,
		Started:  started.UTC(),
		Time:     time.Now().UTC(),
		Status:   loop.Status(),
		XDS:      fleet.Status(),
		Counters: reported.Status(),
	}
}

// programVersion is the module's version, or the commit it was built from.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}
