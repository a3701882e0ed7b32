// Command bench measures the system on this machine and holds the figures against their targets. `make bench` and its like run it.
//
//	bench requests|users|push|fleet …   measure, print the tables, write bench/results/NAME.json
//	bench quick                         a short version of all: bench/results/quick-NAME.json
//	bench report                        write docs/PERFORMANCE.md from bench/results
//
// Rounds of all contenders take turns, so that whatever else the machine does meets them all; a figure is the median of the rounds, with the
// least and the greatest. The load comes from the same machine, and on few cores takes a share of them: compare contenders, and take the CPU
// time for a request from one machine to another sooner than requests per second.
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
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

// benchmarks are in the order of the report.
var benchmarks = []struct {
	name string
	run  func(context.Context, options) (*report.Result, error)
}{
	{"requests", runRequests},
	{"users", runUsers},
	{"push", runPush},
	{"fleet", runFleet},
}

// children are what a benchmark starts this program as, in a process whose CPU and memory are its own.
var children = map[string]func(ctx context.Context, args []string) error{}

// options are what a benchmark is run with.
type options struct {
	// quick asks for half a minute: fewer sizes and rounds, the same tables.
	quick bool
	// rounds and duration are of each contender, and of one of its rounds. 0: what the benchmark thinks right.
	rounds   int
	duration time.Duration
	tools    *stack.Tools
	programs *stack.Programs
	// say tells a person what is going on.
	say func(format string, args ...any)
}

// or gives what is not set: by plain rounds and duration, or for a quick run.
func (o options) or(rounds int, duration time.Duration, quickRounds int, quickDuration time.Duration) options {
	if o.quick {
		rounds, duration = quickRounds, quickDuration
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if o.duration == 0 {
		o.duration = duration
	}
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if child, ok := children[first(os.Args[1:])]; ok {
		if err := child(ctx, os.Args[2:]); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "bench:", err) // there is nobody else to tell
			os.Exit(1)
		}
		return
	}
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// errUsage is returned for wrong arguments.
var errUsage = errors.New("usage: bench [-rounds n] [-duration 2s] [-quick] requests|users|push|fleet …, bench quick or bench report")

// parse reads the command line: the options, and the names of what is to be run.
func parse(args []string, errs io.Writer) (options, []string, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each contender (default: each benchmark's own)")
	f.DurationVar(&o.duration, "duration", 0, "of a round (default: each benchmark's own)")
	f.BoolVar(&o.quick, "quick", false, "measure less, for a first look")
	if err := f.Parse(args); err != nil {
		return o, nil, err
	}
	if f.NArg() == 0 || o.rounds < 0 || o.duration < 0 {
		return o, nil, errUsage
	}
	names := f.Args()
	if len(names) == 1 && names[0] == "report" {
		return o, names, nil
	}
	if len(names) == 1 && names[0] == "quick" {
		o.quick = true
		names = nil
		for _, b := range benchmarks {
			names = append(names, b.name)
		}
	}
	for _, name := range names {
		if benchmark(name) == nil {
			return o, nil, errUsage
		}
	}
	return o, names, nil
}

func benchmark(name string) func(context.Context, options) (*report.Result, error) {
	for _, b := range benchmarks {
		if b.name == name {
			return b.run
		}
	}
	return nil
}

// command is main with its surroundings passed in. It returns the exit code: 0 for figures and --help, 1 for a failure, 2 for wrong
// arguments.
func command(ctx context.Context, args []string, out, errs io.Writer) int {
	o, names, err := parse(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "bench:", err) // there is nobody else to tell
		return 2
	}
	o.say = func(format string, args ...any) { _, _ = fmt.Fprintf(errs, format+"\n", args...) }
	if err := run(ctx, o, names, out, errs); err != nil {
		_, _ = fmt.Fprintln(errs, "bench:", err)
		return 1
	}
	return 0
}

// run runs the named benchmarks one after the other. One that fails does not keep the next from running.
func run(ctx context.Context, o options, names []string, out, progress io.Writer) (err error) {
	root, err := stack.FindRoot()
	if err != nil {
		return err
	}
	results := filepath.Join(root, "bench", "results")
	if first(names) == "report" {
		return writePerformance(results, filepath.Join(root, "docs", "PERFORMANCE.md"))
	}
	if o.tools, err = stack.FindTools(ctx, stack.ToolsConfig{Progress: progress}); err != nil {
		return err
	}
	if o.programs, err = stack.Build(ctx, root); err != nil {
		return err
	}
	for _, name := range names {
		machine := describe(ctx, o.tools)
		r, e := benchmark(name)(ctx, o)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
			continue
		}
		r.Name, r.Machine = name, machine
		if o.quick {
			r.Name = "quick-" + name
		}
		_, e = io.WriteString(out, r.Text()+"\n")
		err = errors.Join(err, e, r.Write(results))
	}
	return err
}
