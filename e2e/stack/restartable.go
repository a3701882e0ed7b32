package stack

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// restartable is a process that may have had predecessors. Its zero value has none.
type restartable struct {
	mu   sync.Mutex
	proc *Process
}

// start starts c, unless the last process still runs.
func (r *restartable) start(c Command) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proc != nil && r.proc.Running() {
		return fmt.Errorf("start %s: it runs already", c.Name)
	}
	p, err := StartProcess(c)
	if err != nil {
		return err
	}
	r.proc = p
	return nil
}

// present is the last process that was started, nil before the first.
func (r *restartable) present() *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc
}

// runToEnd runs c, which is to end by itself, and returns the last lines of what it wrote. It is killed with all its children when
// ctx ends. The error is ctx's, or has the exit code.
func runToEnd(ctx context.Context, c Command) (string, error) {
	p, err := StartProcess(c)
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		return "", ctx.Err()
	}
	out := strings.Join(p.Log.Tail(keptLines), "\n")
	if code := p.ExitCode(); code != 0 {
		return out, fmt.Errorf("exit status %d", code)
	}
	return out, nil
}
