package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/bench/workload"
	"adsidecar/e2e/stack"
)

// The contenders of the ad request.
const (
	direct    = "Envoy direct_response"
	ours      = "ours"
	lua       = "Envoy Lua"
	inMemory  = "Envoy → Go service, in memory"
	withRedis = "Envoy → Go service, Redis"
)

// The sizes of documents.
const (
	adRequestAds = 100_000
	smallAds     = 100
	largeAds     = 1_000_000
)

const (
	requestsGroup = "Ad request, 16 connections"
	sizesGroup    = "Ad request by number of ads, 16 connections"
)

var requestsMethod = []string{
	"Every contender is an Envoy of one worker with the configuration that the gateway's own builders print: the same listener, routes, jwt_authn, rbac, " +
		"error bodies and access log (which is rendered, and written to nowhere), and it is asked for the same things with the same tokens, one for each " +
		"connection. The gateway has no rate limit on this route, so none has. What differs is who answers: " +
		"a constant of Envoy's route, which is the limit of what is possible; our filter; a Lua filter of Envoy with the same table; a Go service " +
		"(net/http, tuned: no router, prepared headers and bodies, GC at 800 %) with the same table in memory, behind Envoy over HTTP/1.1; " +
		"the same service with its lists in Redis, over 32 pooled connections and with one command (RPOPLPUSH) a request.",
	fmt.Sprintf("The document has %d ads for %d keys in the documented distribution; each key has an ad that runs all day, so that exactly one request of ten "+
		"finds none. Requests ask for keys by Zipf's law with exponent 1.1. Before it is timed, each contender is asked %d requests of the sequence, and some keys until "+
		"their rotation has come round twice: status, headers and every byte of the bodies must be those of the table, worked out from the document by code of the "+
		"benchmark's own. While it is timed, every answer must have the right status.", adRequestAds, workload.Keys, checked),
	"Requests a second are those of 16 connections that each send one request after the other, to an Envoy of one worker; the load and a service have the other cores. " +
		"CPU time is what the kernel counts for the process.",
}

// The parts of the benchmark.
const (
	requestsPart = "requests"
	latencyPart  = "requests/latency"
	wholePart    = "requests/machine"
	coldPart     = "requests/coldstart"
)

// runRequests measures the ad request against what else could answer it.
func runRequests(ctx context.Context, o options, rec *recorder) (err error) {
	o = o.or(7, 3*time.Second, 2, time.Second)
	b := &requestsBench{o: o}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := checkAll(ctx, b.contenders); err != nil {
		return err
	}
	rec.part(ctx, requestsPart, 5*time.Minute, b.titled("Request path", requestsMethod), func(ctx context.Context, r *report.Result) error {
		o.say("measuring: %d contenders, about %s", len(b.contenders), (time.Duration(len(b.contenders)*o.rounds) * o.duration).Round(time.Second))
		all, err := measure(ctx, b.contenders, o.rounds, o.duration)
		if len(all[0].Rounds) > 0 {
			b.throughput(all, r)
		}
		return err
	})
	rec.part(ctx, latencyPart, 4*time.Minute, b.titled("Request path: latency", latencyMethod), b.latency)
	rec.part(ctx, wholePart, 4*time.Minute, b.titled("Request path: the whole machine", wholeMethod), b.wholeMachine)
	rec.part(ctx, coldPart, 3*time.Minute, b.titled("Cold start", nil), b.coldStart)
	return nil
}

// titled is a result with nothing measured yet.
func (b *requestsBench) titled(title string, method []string) *report.Result {
	return &report.Result{Title: title, Method: slices.Concat(method, b.notes)}
}

// group is the contenders that are compared.
func (b *requestsBench) group(name string) []*contender {
	var all []*contender
	for _, c := range b.contenders {
		if c.group == name {
			all = append(all, c)
		}
	}
	return all
}

// requestsBench is a benchmark under way.
type requestsBench struct {
	o          options
	notes      []string // of the method
	issuer     *stack.Issuer
	tokens     []string
	edges      []*edge
	main       *edge               // with the document that all contenders have
	gateways   map[string]*gateway // of main, by contender
	contenders []*contender
	processes  []*stack.Process
	constant   string // the one answer of direct_response
}

func (b *requestsBench) close() error {
	closeAll(b.contenders)
	var err error
	for _, e := range b.edges {
		err = errors.Join(err, e.close())
	}
	for _, p := range b.processes {
		err = errors.Join(err, p.Stop(10*time.Second))
	}
	if b.issuer != nil {
		b.issuer.Close()
	}
	return err
}

func (b *requestsBench) start(ctx context.Context) error {
	var err error
	if b.issuer, err = stack.StartIssuer("https://issuer.test/bench"); err != nil {
		return err
	}
	for range manyConnections {
		token, err := b.issuer.Sign(stack.Access(clientID))
		if err != nil {
			return err
		}
		b.tokens = append(b.tokens, token)
	}
	b.o.say("starting: a control plane with %d ads", adRequestAds)
	config := workload.Standard(adRequestAds)
	config.Always = true
	if b.main, err = b.edge(ctx, workload.Document(config), workload.Keys); err != nil {
		return err
	}
	if err := b.startContenders(ctx); err != nil {
		return err
	}
	if b.o.quick || !b.o.wants(requestsPart) {
		return nil
	}
	return b.startSizes(ctx)
}

func (b *requestsBench) edge(ctx context.Context, document []byte, keys int) (*edge, error) {
	e, err := startEdge(ctx, b.o, b.issuer, b.tokens, document, keys)
	if err == nil {
		b.edges = append(b.edges, e)
	}
	return e, err
}

// startContenders starts those that all have the same document.
func (b *requestsBench) startContenders(ctx context.Context) error {
	e := b.main
	table, script := filepath.Join(e.stack.Dir, "ads.tsv"), filepath.Join(e.stack.Dir, "ads.lua")
	if err := errors.Join(e.table.write(table), os.WriteFile(script, []byte(luaScript(table)), 0o600)); err != nil {
		return err
	}
	b.constant = e.table[e.requests[0].Key][0].body
	servicePort, service, err := b.service(ctx, "-table", table)
	if err != nil {
		return err
	}
	b.gateways = map[string]*gateway{}
	add := func(name, file string, change func(*bootstrap), processes map[string]int) error {
		b.o.say("starting: %s", name)
		g, err := b.gateway(ctx, e, file, change)
		if err != nil {
			return err
		}
		b.gateways[name] = g
		constant := ""
		if name == direct {
			constant = b.constant
		}
		b.contenders = append(b.contenders, e.contender(g, manyConnections, requestsGroup, name, constant, processes))
		return nil
	}
	if err := errors.Join(
		add(direct, "direct", func(c *bootstrap) { c.direct(b.constant) }, map[string]int{}),
		add(ours, "ours", nil, map[string]int{}),
		add(lua, "lua", func(c *bootstrap) { c.lua(script) }, map[string]int{}),
		add(inMemory, "memory", func(c *bootstrap) { c.upstream(servicePort) }, map[string]int{"the service": service.PID()}),
	); err != nil {
		return err
	}
	redisAddress, redis, err := startRedis(ctx)
	if errors.Is(err, errNoRedis) {
		b.notes = append(b.notes, "Redis is left out: "+err.Error()+".")
		return nil
	}
	if err != nil {
		return err
	}
	b.processes = append(b.processes, redis)
	if servicePort, service, err = b.service(ctx, "-table", table, "-redis", redisAddress); err != nil {
		return err
	}
	return add(withRedis, "redis", func(c *bootstrap) { c.upstream(servicePort) }, map[string]int{"the service": service.PID(), "Redis": redis.PID()})
}

// startSizes starts two more of ours: with few ads, and with many.
func (b *requestsBench) startSizes(ctx context.Context) error {
	for _, size := range []struct {
		ads, keys int
		document  func() []byte
	}{
		{smallAds, smallAds, func() []byte { return firstKeys(workload.Document(workload.Config{Seed: 1, Always: true}), smallAds) }},
		{largeAds, workload.Keys, func() []byte {
			config := workload.Standard(largeAds)
			config.Always = true
			return workload.Document(config)
		}},
	} {
		b.o.say("starting: ours with %d ads", size.ads)
		e, err := b.edge(ctx, size.document(), size.keys)
		if err != nil {
			return err
		}
		g, err := b.gateway(ctx, e, "ours", nil)
		if err != nil {
			return err
		}
		c := e.contender(g, manyConnections, sizesGroup, sizeName(size.ads), "", map[string]int{})
		b.contenders = append(b.contenders, c)
	}
	return nil
}

func sizeName(ads int) string { return fmt.Sprintf("ours with %d ads", ads) }

// firstKeys is the document with the ads of the first keys alone. An ad is a line of it.
func firstKeys(document []byte, keys int) []byte {
	var lines [][]byte
	for _, key := range workload.AllKeys(1)[:keys] {
		of := []byte(`"country":"` + key.Country + `","lang":"` + key.Lang + `"`)
		for line := range bytes.Lines(document) {
			if bytes.Contains(line, of) {
				lines = append(lines, bytes.TrimRight(line, ",\n"))
			}
		}
	}
	return []byte(`{"ads":[` + string(bytes.Join(lines, []byte(","))) + `]}`)
}

// gateway starts an Envoy and returns when it serves.
func (b *requestsBench) gateway(ctx context.Context, e *edge, name string, change func(*bootstrap)) (*gateway, error) {
	g, err := e.gateway(ctx, name, false, change)
	if err != nil {
		return nil, err
	}
	if err := g.start(); err != nil {
		return nil, err
	}
	return g, g.waitServed(ctx, e.token, e.firstAd())
}

// firstAd is a path whose answer is an ad.
func (e *edge) firstAd() string {
	for _, r := range e.requests {
		if !r.Miss {
			return adPath(r)
		}
	}
	return ""
}

// service starts the Go service as a process of its own.
func (b *requestsBench) service(ctx context.Context, args ...string) (port int, p *stack.Process, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	reserved, err := stack.ReservePort()
	if err != nil {
		return 0, nil, err
	}
	p, err = stack.StartProcess(stack.Command{
		Name: "service", Path: program, Args: append([]string{"service", "-address", reserved.Address()}, args...),
	})
	if err != nil {
		return 0, nil, err
	}
	b.processes = append(b.processes, p)
	return reserved.Number, p, p.WaitFor(ctx, "serving", func(ctx context.Context) error {
		a, err := stack.Send(ctx, "GET", reserved.URL()+b.main.firstAd(), nil, nil)
		if err == nil && !strings.HasPrefix(string(a.Body), `{"id":`) {
			err = errors.New(a.String())
		}
		return err
	})
}
