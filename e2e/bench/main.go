// Command bench measures the system on this machine and holds the figures against their targets. `make bench` and its like run it.
//
//	bench requests|users|push|fleet …   measure, print the tables, write bench/results/PART.json
//	bench -only 'push/limit' push       measure these parts alone
//	bench quick                         a short version: bench/results/quick-PART.json
//	bench report                        write docs/PERFORMANCE.md from bench/results
//
// A benchmark has parts, and each part a file: it is written when the part ends, also when it failed or was interrupted, with what it has
// measured until then. The exit code says that something failed.
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
	"regexp"
	"slices"
	"syscall"
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

// benchmarks are in the order of the report. Each measures its parts in their order.
var benchmarks = []struct {
	name  string
	parts []string
	run   func(context.Context, options, *recorder) error
}{
	{"requests", []string{requestsPart, latencyPart, wholePart, coldPart}, runRequests},
	{"users", []string{usersPart}, runUsers},
	{"push", []string{compilePart, memoryPart, pushPart, endurancePart, limitPart}, runPush},
	{"fleet", []string{fleetPart}, runFleet},
}

// quickBenchmarks are those of `bench quick`: what has targets.
var quickBenchmarks = []string{"requests", "push", "fleet"}

// children are what a benchmark starts this program as, in a process whose CPU and memory are its own.
var children = map[string]func(ctx context.Context, args []string) error{}

// options are what a benchmark is run with.
type options struct {
	// quick asks for half a minute: fewer sizes and rounds, the same tables.
	quick bool
	// rounds and duration are of each contender, and of one of its rounds. 0: what the benchmark thinks right.
	rounds   int
	duration time.Duration
	// only chooses parts by their names. Nil: all.
	only     *regexp.Regexp
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
var errUsage = errors.New("usage: bench [-rounds n] [-duration 2s] [-quick] [-only regexp] requests|users|push|fleet …, bench quick or bench report")

// parse reads the command line: the options, and the names of what is to be run.
func parse(args []string, errs io.Writer) (options, []string, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each contender (default: each benchmark's own)")
	f.DurationVar(&o.duration, "duration", 0, "of a round (default: each benchmark's own)")
	f.BoolVar(&o.quick, "quick", false, "measure less, for a first look")
	f.Func("only", "`regexp` of the parts to measure, e.g. push/limit (default: all)", func(text string) (err error) {
		o.only, err = regexp.Compile(text)
		return err
	})
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
		names = slices.Clone(quickBenchmarks)
	}
	chosen := false
	for _, name := range names {
		i := benchmark(name)
		if i < 0 {
			return o, nil, errUsage
		}
		chosen = chosen || slices.ContainsFunc(benchmarks[i].parts, o.wants)
	}
	if !chosen {
		return o, nil, fmt.Errorf("no part of %v matches %s", names, o.only)
	}
	return o, names, nil
}

// wants tells whether a part is to be measured.
func (o options) wants(part string) bool { return o.only == nil || o.only.MatchString(part) }

// benchmark is the place of a benchmark; -1 if there is none of that name.
func benchmark(name string) int {
	for i, b := range benchmarks {
		if b.name == name {
			return i
		}
	}
	return -1
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
		b := benchmarks[benchmark(name)]
		if !slices.ContainsFunc(b.parts, o.wants) {
			continue
		}
		rec := &recorder{o: o, out: out, results: results, machine: func() report.Machine { return describe(ctx, o.tools) }}
		if e := errors.Join(b.run(ctx, o, rec), rec.err); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
		}
	}
	return err
}
