package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	rounds, err := parseRounds(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !run(rounds, ".", os.Stdout, signals) {
		os.Exit(1)
	}
}

// parseRounds splits the arguments at each "--" into the arguments of one `go test` each.
func parseRounds(args []string) ([][]string, error) {
	if len(args) == 0 || args[0] != "--" {
		return nil, errors.New("usage: testrun -- GO TEST ARGUMENTS [-- ARGUMENTS OF THE NEXT ROUND]")
	}
	var rounds [][]string
	for _, arg := range args {
		if arg == "--" {
			rounds = append(rounds, nil)
			continue
		}
		last := len(rounds) - 1
		rounds[last] = append(rounds[last], arg)
	}
	for i, round := range rounds {
		if len(round) == 0 {
			return nil, fmt.Errorf("round %d has no arguments", i+1)
		}
	}
	return rounds, nil
}

// run runs the rounds in dir until one fails, writes the report to out, and tells whether all passed. A signal from signals
// is handed to the tests of the present round, and ends the run.
func run(rounds [][]string, dir string, out io.Writer, signals <-chan os.Signal) bool {
	start := time.Now()
	rep := newReport(out)
	ok := true
	for _, round := range rounds {
		_, _ = fmt.Fprintf(out, "== go test %s\n", strings.Join(round, " "))
		before := rep.tests
		if err := runRound(round, dir, rep, signals); err != nil {
			rep.note("FAIL  go test %s: %v", strings.Join(round, " "), err)
			ok = false
			break
		}
		if rep.tests == before {
			rep.note("FAIL  go test %s: no test ran", strings.Join(round, " "))
			ok = false
			break
		}
		if !rep.passed() {
			ok = false
			break
		}
	}
	rep.finish(time.Since(start).Round(time.Second))
	return ok
}

// runRound runs one `go test -json` to its end and feeds its events to rep.
func runRound(args []string, dir string, rep *report, signals <-chan os.Signal) error {
	//nolint:noctx // A run ends by a signal to the process group, below; a context would kill go test alone.
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	// A group of its own, so that a signal reaches the test binaries too: `go test` that gets SIGTERM alone leaves them running.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open output: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}

	ended := make(chan struct{})
	stopped := make(chan error, 1)
	go func() { stopped <- forward(signals, ended, cmd.Process.Pid) }()

	scanErr := scan(stdout, rep)
	waitErr := cmd.Wait()
	close(ended)
	if err := <-stopped; err != nil {
		return err
	}
	return errors.Join(scanErr, waitErr)
}

// forward hands signals to the process group until ended is closed: SIGINT for the first, whatever it was, as `go test` and
// test binaries know it from a terminal, and SIGKILL for a second. Its error names the first signal.
func forward(signals <-chan os.Signal, ended <-chan struct{}, group int) error {
	var first error
	send := syscall.SIGINT
	for {
		select {
		case sig := <-signals:
			_ = syscall.Kill(-group, send) // an error means that the group is gone: nothing to stop
			send = syscall.SIGKILL
			if first == nil {
				first = fmt.Errorf("stopped by a signal: %v", sig)
			}
		case <-ended:
			return first
		}
	}
}

// scan feeds every line of a `go test -json` output to rep. Lines may be of any length: a test may print one.
func scan(r io.Reader, rep *report) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			rep.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read output: %w", err)
		}
	}
}
