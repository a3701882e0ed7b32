// Command local is what `make run` starts: the whole system on this machine, at fixed ports, for trying it out and for scripts.
//
// It starts moto as Cognito with a demo user, serves a copy of the sample campaigns as the source, starts the control plane, the user
// service and an Envoy with the gateway of compose/gateway.yaml, waits until an ad is served and the user service answers, says what
// runs where and how to call it, and writes .run/env. It stays until Ctrl-C and leaves nothing behind: a second Ctrl-C kills what does
// not stop in time. User records are in an embedded file, or with STORE=dynamodb in moto's DynamoDB; each start begins without any.
//
// A part that dies ends it with that part's last log lines and exit code 1. Control plane and user service apart: Envoy serves ads without
// them, so they are started again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"adsidecar/e2e/stack"
)

func main() { os.Exit(command(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)) }

// command is main with its surroundings passed in. It returns the exit code: 0 after Ctrl-C and --help, 1 for a failure, 2 for
// wrong arguments.
func command(args []string, lookup func(string) (string, bool), out, errs io.Writer) int {
	c, err := parse(args, lookup, errs)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		complain(errs, err)
		return 2
	}
	root, err := stack.FindRoot()
	if err != nil {
		complain(errs, err)
		return 1
	}
	c.root, c.out = root, out
	if c.dir == "" {
		c.dir = filepath.Join(root, ".run")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		_, _ = fmt.Fprintln(out, "\nstopping (Ctrl-C again kills)") // a line for a person
		cancel()
		<-signals
		_ = os.Remove(filepath.Join(c.dir, envFile)) // it may not have been written
		os.Exit(130)                                 // every process of the stack dies with this one
	}()
	if err := run(ctx, c); err != nil {
		complain(errs, err)
		return 1
	}
	return 0
}

func complain(w io.Writer, err error) {
	_, _ = fmt.Fprintf(w, "adsidecar: %v\n", err) // there is nobody else to tell
}
