package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"adsidecar/e2e/stack"
)

const (
	// sourceFile is the copy of the sample campaigns that is served. It is made anew at each start, so that every start is the same.
	sourceFile = "campaigns.json"
	// restartAfter is how long a part stays down after its death: long enough to see that Envoy serves without it.
	restartAfter = 3 * time.Second
)

// local is a running stack and what surrounds it.
type local struct {
	config
	stack *stack.Stack

	mu      sync.Mutex // out is written by the keepers too
	writing sync.Mutex // and so is the env file
}

// run starts everything, waits until an ad is served and then until ctx ends or a part dies, which is the error.
func run(ctx context.Context, c config) (err error) {
	l := &local{config: c}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	only, err := claim(filepath.Join(c.dir, "local.lock"))
	if err != nil {
		return err
	}
	defer only.Close() //nolint:errcheck // frees the lock, nothing is pending
	if err := c.portsFree(); err != nil {
		return err
	}
	began := time.Now()
	err = l.start(ctx)
	if l.stack != nil {
		defer func() {
			err = errors.Join(err, l.stop())
		}()
	}
	if err == nil {
		err = l.report(ctx, time.Since(began))
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // it was interrupted while it started: no failure
		}
		return err
	}
	return l.watch(ctx)
}

func (l *local) start(ctx context.Context) error {
	tools, err := stack.FindTools(ctx, stack.ToolsConfig{Root: l.root, Progress: l.out})
	if err != nil {
		return err
	}
	programs, err := stack.Built(l.root)
	if err != nil {
		return err
	}
	if err := l.clean(); err != nil {
		return err
	}
	sample, err := os.ReadFile(filepath.Join(l.root, "compose", "campaigns.json"))
	if err != nil {
		return fmt.Errorf("read the sample campaigns: %w", err)
	}
	file := filepath.Join(l.dir, sourceFile)
	if err := stack.ReplaceFile(file, sample, 0o644); err != nil {
		return fmt.Errorf("copy the sample campaigns: %w", err)
	}
	l.say("Envoy %s (%s)", tools.EnvoyVersion, tools.EnvoyFrom)
	s, err := stack.Start(ctx, stack.Options{
		Dir: l.dir, Tools: tools, Programs: programs, Ports: l.ports, SourceFile: file,
		GatewayFile: filepath.Join(l.root, "compose", "gateway.yaml"),
		Users:       &stack.UsersOptions{Store: l.store},
		Concurrency: 2,
		Progress:    func(what string) { l.say("starting %s", what) },
	})
	if err != nil {
		return err
	}
	l.stack = s
	if err := s.WaitServed(ctx); err != nil {
		return err
	}
	if err := s.Envoy().WaitUsers(ctx); err != nil {
		return err
	}
	return l.writeEnv()
}

// clean removes what the last run left: its logs, which this one appends to, its copies of the module and its state, so that nothing
// but the present sample campaigns is ever served; and the user records, whose owners are gone with the last run's Cognito.
func (l *local) clean() error {
	var errs []error
	for _, pattern := range []string{"*.log", "adsidecar-*.wasm", "*-state", "users.db*", "users-client-secret", "gateway.yaml", envFile} {
		found, err := filepath.Glob(filepath.Join(l.dir, pattern))
		errs = append(errs, err)
		for _, path := range found {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// stop ends all parts. That one had to be killed is worth a line, no failure: nothing is left of it.
func (l *local) stop() error {
	err := os.Remove(filepath.Join(l.dir, envFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if killed := l.stack.Close(); killed != nil {
		l.say("%v", killed)
	}
	l.say("stopped")
	return err
}

// watch returns nil when ctx ends, or the death of a part. It keeps alive meanwhile what Envoy can do without for a while.
func (l *local) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var keepers sync.WaitGroup
	defer func() { cancel(); keepers.Wait() }()
	keepers.Go(func() { l.keep(ctx, "control plane", l.stack.ControlPlane()) })
	keepers.Go(func() { l.keep(ctx, "user service", l.stack.Users()) })
	envoy, moto := l.stack.Envoy().Process(), l.stack.Moto.Process
	select {
	case <-ctx.Done():
		return nil
	case <-envoy.Done():
		return envoy.Err()
	case <-moto.Done():
		return moto.Err()
	}
}

// part is what can be started again.
type part interface {
	Process() *stack.Process
	Start(ctx context.Context) error
}

// keep starts a part again whenever it dies, until ctx ends.
func (l *local) keep(ctx context.Context, name string, p part) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.Process().Done():
		}
		l.say("%v\nEnvoy goes on serving; starting the %s again in %s", p.Process().Err(), name, restartAfter)
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartAfter):
		}
		if err := p.Start(ctx); err != nil {
			if ctx.Err() == nil {
				l.say("%v", err)
			}
			continue // until its process ends, or at once if there is none
		}
		l.say("the %s runs again (process %d)", name, p.Process().PID())
		if err := l.writeEnv(); err != nil {
			l.say("%v", err)
		}
	}
}

func (l *local) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.out, format+"\n", args...) // a line for a person
}
