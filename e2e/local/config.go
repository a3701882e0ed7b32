package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"adsidecar/e2e/stack"
)

// config is what a run needs to know.
type config struct {
	root string // the repository's
	dir  string // for logs, state and the env file
	// ports are fixed; 0 is a free one.
	ports stack.Ports
	// store is where user records are kept: stack.Bolt or stack.DynamoDB.
	store string
	out   io.Writer
}

// port is a port that can be chosen.
type port struct {
	env, flag, part string
	standard        int
	of              func(*stack.Ports) *int
}

var ports = []port{
	{"PORT", "port", "gateway (Envoy)", 8080, func(p *stack.Ports) *int { return &p.Gateway }},
	{"ENVOY_ADMIN_PORT", "envoy-admin-port", "Envoy's admin", 9901, func(p *stack.Ports) *int { return &p.EnvoyAdmin }},
	{"CONTROLPLANE_PORT", "controlplane-port", "control plane (HTTP)", 18001, func(p *stack.Ports) *int { return &p.ControlPlane }},
	{"XDS_PORT", "xds-port", "control plane (xDS)", 18000, func(p *stack.Ports) *int { return &p.XDS }},
	{"COGNITO_PORT", "cognito-port", "Cognito (moto)", 18002, func(p *stack.Ports) *int { return &p.Moto }},
	{"SOURCE_PORT", "source-port", "campaign source", 18003, func(p *stack.Ports) *int { return &p.Source }},
	{"USERS_PORT", "users-port", "user service", 18004, func(p *stack.Ports) *int { return &p.Users }},
}

const usage = `Starts the whole system on this machine; Ctrl-C stops it.

Usage: make run [PORT=8080 STORE=dynamodb …], or bin/adsidecar-local [flags]

`

// parse reads flags, whose defaults come from the environment. It writes the help to errs.
func parse(args []string, lookup func(string) (string, bool), errs io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("adsidecar-local", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		_, _ = io.WriteString(errs, usage) // help for a person
		flags.PrintDefaults()
	}
	flags.StringVar(&c.dir, "dir", "", "`folder` for logs, state and env (default .run at the repository's root)")
	store, ok := lookup("STORE")
	if !ok || store == "" {
		store = stack.Bolt
	}
	flags.StringVar(&c.store, "store", store, "where user records are kept: `bbolt`, an embedded file, or dynamodb, moto's (or STORE=…)")
	for _, p := range ports {
		number := p.standard
		if text, ok := lookup(p.env); ok && text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return c, fmt.Errorf("%s=%s is not a port", p.env, text)
			}
			number = n
		}
		flags.IntVar(p.of(&c.ports), p.flag, number, fmt.Sprintf("`port` of the %s; 0 takes a free one (or %s=…)", p.part, p.env))
	}
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unknown argument %q: there are only flags (--help lists them)", flags.Arg(0))
	}
	return c, c.check()
}

func (c *config) check() error {
	var errs []error
	if c.store != stack.Bolt && c.store != stack.DynamoDB {
		errs = append(errs, fmt.Errorf("STORE=%s is neither %s nor %s", c.store, stack.Bolt, stack.DynamoDB))
	}
	taken := map[int]string{}
	for _, p := range ports {
		n := *p.of(&c.ports)
		if n < 0 || n > 65535 {
			errs = append(errs, fmt.Errorf("%s=%d is not a port", p.env, n))
		}
		if other := taken[n]; n != 0 && other != "" {
			errs = append(errs, fmt.Errorf("%s and %s are both %d", other, p.env, n))
		}
		taken[n] = p.env
	}
	return errors.Join(errs...)
}

// portsFree says which ports are taken, by whom, and how to choose others.
func (c *config) portsFree() error {
	var errs []error
	for _, p := range ports {
		n := *p.of(&c.ports)
		if n == 0 {
			continue
		}
		if err := stack.CheckPort(n); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: stop that, or choose another port: make run %s=%d", p.part, err, p.env, other(n)))
		}
	}
	return errors.Join(errs...)
}

// other is a port to suggest instead of n.
func other(n int) int {
	for free := n + 10; free < 65536; free += 10 {
		if stack.CheckPort(free) == nil {
			return free
		}
	}
	return 0
}
