package main

import (
	"time"

	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
	"adsidecar/filter/adindex"
	"adsidecar/internal/program"
)

// status is the answer of GET /api/v1/status.
type status struct {
	Version string    `json:"version"` // of this program, as --version prints it
	Format  int       `json:"index_format"`
	Started time.Time `json:"started"`
	Time    time.Time `json:"time"`
	publish.Status
	XDS      xds.Status      `json:"xds"`
	Counters counters.Status `json:"counters"`
}

func newStatus(started time.Time, loop *publish.Loop, fleet *xds.Server, reported *counters.Service) status {
	return status{
		Version:  program.Version(),
		Format:   adindex.FormatVersion,
		Started:  started.UTC(),
		Time:     time.Now().UTC(),
		Status:   loop.Status(),
		XDS:      fleet.Status(),
		Counters: reported.Status(),
	}
}
