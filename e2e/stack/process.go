package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tailLines is how many log lines an error about a process shows.
const tailLines = 15

// Command describes a process to start.
type Command struct {
	// Name is what errors call it: "envoy".
	Name string
	Path string
	Args []string
	// Dir is its working directory. Empty: the caller's.
	Dir string
	// Env is added to the caller's environment, KEY=VALUE.
	Env []string
	// LogFile takes its stdout and stderr. Empty: the last lines are kept in memory only.
	LogFile string
}

// Process is a running child in a process group of its own. It is safe for concurrent use.
type Process struct {
	// Log is what it wrote.
	Log *Log

	name    string
	pid     int
	done    chan struct{}
	release func() // takes back what guards against the death of this program

	mu      sync.Mutex
	stopped bool  // by Stop or Kill: its end is not an error
	ended   bool  // the process was reaped: its number may be another's by now
	err     error // why it ended; set before done is closed
	code    int   // its exit code; -1 while it runs and when a signal ended it
}

// StartProcess starts c. It returns once the process runs, which does not mean that it is ready: see [Process.WaitFor].
func StartProcess(c Command) (*Process, error) {
	out, err := openLog(c.LogFile)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	// A grandchild that keeps the output open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	p := &Process{Log: out, name: c.Name, done: make(chan struct{}), release: func() {}, code: -1}
	started := make(chan error, 1)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		out.close()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// run starts the process and waits for its end. The kernel sends the parent-death signal when the thread that started a
// child ends, whatever the rest of the program does: so this goroutine keeps its thread to itself for the life of the child.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	err := cmd.Start()
	if err == nil {
		p.pid = cmd.Process.Pid
		p.release, err = guard(p.pid)
		if err != nil {
			_ = cmd.Process.Kill() // it is not to run unguarded; err says why
			_ = cmd.Wait()
		}
	}
	started <- err
	if err != nil {
		return
	}
	err = cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	p.mu.Lock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // what is left of its group; mostly there is nothing
	p.ended, p.code = true, cmd.ProcessState.ExitCode()
	p.Log.close()
	if !p.stopped {
		p.err = p.endError(cmd.ProcessState, err)
	}
	p.mu.Unlock()
	p.release()
	close(p.done)
}

func (p *Process) endError(state *os.ProcessState, err error) error {
	how := "ended by itself"
	if err != nil {
		how = "ended: " + err.Error()
	} else if state != nil {
		how = "ended: " + state.String()
	}
	text := fmt.Sprintf("%s (process %d) %s", p.name, p.pid, how)
	if tail := p.Log.Tail(tailLines); len(tail) > 0 {
		text += "; its last lines:\n  " + strings.Join(tail, "\n  ")
	}
	return errors.New(text)
}

// Name is the name it was started with.
func (p *Process) Name() string { return p.name }

// PID is its process number, which is its group's too.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended. A paused process runs.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err says why the process ended, with its last log lines; nil while it runs and when Stop or Kill ended it.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// ExitCode is what the process exited with: -1 while it runs and when a signal ended it.
func (p *Process) ExitCode() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// Stop asks the process to end (SIGTERM, also when it is paused), waits for grace and then kills its group. It returns when the
// process has ended. The error says that it had to be killed. Stopping an ended process does nothing.
func (p *Process) Stop(grace time.Duration) error {
	p.end(syscall.SIGTERM, syscall.SIGCONT)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	p.Kill()
	return fmt.Errorf("stop %s: it did not end within %s and was killed", p.name, grace)
}

// Kill ends the process and its group by SIGKILL, and returns when it has ended.
func (p *Process) Kill() {
	p.end(syscall.SIGKILL)
	<-p.done
}

func (p *Process) end(signals ...syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.stopped = true
	for _, s := range signals {
		_ = syscall.Kill(-p.pid, s) // fails only if the group is gone, which is what is asked for
	}
}

// Pause freezes the process (SIGSTOP): its connections stay open and nothing answers on them.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (p *Process) Continue() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return fmt.Errorf("signal %s: %w", p.name, os.ErrProcessDone)
	}
	if err := syscall.Kill(-p.pid, s); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// WaitFor calls probe until it returns nil. It gives up when ctx does, with probe's last error, and at once when the process
// ends. what names the state that is waited for: "ready".
func (p *Process) WaitFor(ctx context.Context, what string, probe func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := Poll(ctx, probe)
	if err == nil {
		return nil
	}
	if !p.Running() {
		if e := p.Err(); e != nil {
			return fmt.Errorf("wait for %s to be %s: %w", p.name, what, e)
		}
		return fmt.Errorf("wait for %s to be %s: it was stopped", p.name, what)
	}
	if tail := p.Log.Tail(tailLines); len(tail) > 0 {
		return fmt.Errorf("wait for %s to be %s: %w; its last lines:\n  %s", p.name, what, err, strings.Join(tail, "\n  "))
	}
	return fmt.Errorf("wait for %s to be %s: %w", p.name, what, err)
}
