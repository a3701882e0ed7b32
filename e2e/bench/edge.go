package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"adsidecar/e2e/bench/workload"
	"adsidecar/e2e/stack"
)

//go:embed ads.lua
var adsLua string

// loadProcess is the name of this process among a contender's.
const loadProcess = "the load"

// clientID is the app client of all tokens.
const clientID = "game"

// edge is a control plane with one document, for Envoys that are configured from it.
type edge struct {
	o        options
	stack    *stack.Stack
	requests []workload.Request
	table    adTable
	tokens   []string
	token    string // bootstraps need none; checks do
	gateways []*gateway
}

// startEdge starts a control plane that has this document. The requests ask for the first keys of all.
func startEdge(ctx context.Context, o options, issuer *stack.Issuer, tokens []string, document []byte, keys int) (*edge, error) {
	table, err := tableOf(document)
	if err != nil {
		return nil, err
	}
	s, err := stack.Start(ctx, stack.Options{
		Tools: o.tools, Programs: o.programs, NoMoto: true, NoEnvoy: true,
		Issuers: []stack.TrustedIssuer{stack.Trust(issuer, clientID)}, Campaigns: document,
		PollInterval: time.Hour, // it has nothing to do meanwhile
		Gateway:      "campaigns: {max_document_mib: 512, max_index_mib: 400}",
	})
	if err != nil {
		return nil, err
	}
	e := &edge{o: o, stack: s, requests: workload.Requests(1, keys, 1<<18), table: table, tokens: tokens, token: tokens[0]}
	if err := s.ControlPlane().WaitReady(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *edge) close() error {
	var err error
	for _, g := range e.gateways {
		err = errors.Join(err, g.stop())
	}
	return errors.Join(err, e.stack.Close())
}

// gateway is one Envoy, with one worker unless it is told otherwise, and its bootstrap. It can be started again.
type gateway struct {
	name, file      string
	listener, admin *stack.Port
	binary          string
	workers         int
	process         *stack.Process // nil while it does not run
}

// gateway makes a bootstrap with the changes of a contender.
func (e *edge) gateway(ctx context.Context, name string, withIndex bool, change func(*bootstrap)) (*gateway, error) {
	args := []string{"bootstrap", "--config", e.stack.ControlPlane().ConfigFile, "--node-id", name, "--static"}
	if withIndex {
		args = append(args, "--with-index")
	}
	text, err := exec.CommandContext(ctx, e.o.programs.Adsidecar, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("adsidecar bootstrap: %w", err)
	}
	b, err := parseBootstrap(text)
	if err != nil {
		return nil, err
	}
	g := &gateway{name: name, file: filepath.Join(e.stack.Dir, name+".yaml"), binary: e.o.tools.Envoy, workers: 1}
	if g.listener, err = stack.ReservePort(); err != nil {
		return nil, err
	}
	if g.admin, err = stack.ReservePort(); err != nil {
		return nil, err
	}
	e.gateways = append(e.gateways, g)
	b.ports(g.listener.Number, g.admin.Number)
	if change != nil {
		change(b)
	}
	if text, err = b.text(); err != nil {
		return nil, err
	}
	return g, os.WriteFile(g.file, text, 0o600)
}

// start starts the process. The access log is made, and goes nowhere: it is the same for all.
func (g *gateway) start() error {
	var err error
	g.process, err = stack.StartProcess(stack.Command{
		Name: g.name, Path: "/bin/sh",
		Args: []string{"-c", `exec "$0" "$@" >/dev/null`, g.binary, "-c", g.file, "--concurrency", strconv.Itoa(g.workers), "--disable-hot-restart", "--log-level", "warning"},
	})
	return err
}

func (g *gateway) stop() error {
	if g.process == nil {
		return nil
	}
	err := g.process.Stop(10 * time.Second)
	g.process = nil
	return err
}

// waitServed returns when the key's ad is served.
func (g *gateway) waitServed(ctx context.Context, token, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return g.process.WaitFor(ctx, "serving", func(ctx context.Context) error {
		a, err := stack.Send(ctx, http.MethodGet, g.listener.URL()+path, http.Header{"Authorization": {"Bearer " + token}}, nil)
		if err == nil && a.Status != http.StatusOK {
			err = errors.New(a.String())
		}
		return err
	})
}

// adPath is the request's path.
func adPath(r workload.Request) string {
	return "/ad_request?country=" + r.Key.Country + "&lang=" + r.Key.Lang
}

// contender asks this gateway over some connections, each with a share of the requests and a token of its own while there are as many. A
// miss is 404, unless all answers are the same one.
func (e *edge) contender(g *gateway, connections int, group, name, constant string, processes map[string]int) *contender {
	processes["Envoy"], processes[loadProcess] = g.process.PID(), os.Getpid()
	c := &contender{group: group, name: name, processes: processes}
	paths := e.paths()
	open := make([]*wire, connections)
	for i := range open {
		token, at := e.tokens[i%len(e.tokens)], i
		c.asks = append(c.asks, func(context.Context) (err error) {
			if open[i] == nil {
				if open[i], err = dialWire(g.listener.Address(), token); err != nil {
					return err
				}
			}
			r := &paths[at%len(paths)]
			at += connections
			status, body, err := open[i].get(r.path)
			if err == nil && status != r.status && constant == "" {
				err = fmt.Errorf("status %d instead of %d: %.200s", status, r.status, body)
			}
			return err
		})
	}
	c.check = func(ctx context.Context) error { return e.check(ctx, g, constant) }
	c.close = func() {
		for _, w := range open {
			if w != nil {
				w.close()
			}
		}
	}
	return c
}

// path is a request as it is sent, with the status of its answer.
type path struct {
	path   string
	status int
}

func (e *edge) paths() []path {
	known := map[workload.Key]string{} // many requests, few keys
	paths := make([]path, len(e.requests))
	for i, r := range e.requests {
		if known[r.Key] == "" {
			known[r.Key] = adPath(r)
		}
		paths[i] = path{path: known[r.Key], status: http.StatusOK}
		if r.Miss {
			paths[i].status = http.StatusNotFound
		}
	}
	return paths
}
