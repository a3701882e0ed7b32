package main

import (
	"context"
	"fmt"
	"net/http"

	"adsidecar/controlplane/admin"
	"adsidecar/controlplane/api"
	"adsidecar/controlplane/console"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/xds"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

// answer returns what needs no credentials, and what does: the API, the console, and what admin has of it.
func answer(
	ctx context.Context, c *gateway.Config, answers admin.Config, loop *publish.Loop, operators *revision.Service, fleet *xds.Server,
	reported *counters.Service, logs program.Logs,
) (public *http.ServeMux, protected http.Handler, err error) {
	ofAPI := logs.Named("api")
	v1, err := api.Handler(api.Config{
		History: operators, Publisher: api.NewPublisher(loop, operators), Fleet: fleet, Counters: reported,
		MaxIndexBytes: c.Campaigns.MaxIndexMiB << 20, Done: ctx.Done(), Logger: ofAPI.Log, Audit: ofAPI.Audit,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("api: %w", err)
	}
	status := admin.Handler(answers)
	below := http.NewServeMux()
	below.Handle("/api/v1/", v1)
	below.Handle("/api/v1/status", status)
	pages, err := console.Handler(console.Config{API: below, Logger: logs.Log.Named("console")})
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	public = admin.Public(answers)
	public.Handle("GET "+console.AssetsPath, console.Assets())
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("/api/v1/", below)
	mux.Handle("/metrics", status)
	return public, mux, nil
}
