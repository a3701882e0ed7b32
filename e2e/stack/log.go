package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	// keptLines is how many of its last lines a Log remembers at least.
	keptLines = 1000
	// maxLine cuts a longer line, in memory only: the file gets every byte.
	maxLine = 16 << 10
)

// Log takes what a process writes: into a file, and its last lines into memory. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	file    *os.File // nil: memory only
	lines   []string // the last ones
	dropped int      // lines that lines no longer holds
	part    []byte   // the line that has no end yet
	changed chan struct{}
	closed  bool
}

// openLog appends to the file at path, making its folder; an empty path keeps the lines in memory only.
func openLog(path string) (*Log, error) {
	l := &Log{changed: make(chan struct{})}
	if path == "" {
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.file = f
	return l, nil
}

// Write implements io.Writer. It never fails: a full disk must not stop the process that is logged.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_, _ = l.file.Write(p) // see above
	}
	rest := p
	for {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		if room := maxLine - len(l.part); room > 0 {
			l.part = append(l.part, line[:min(room, len(line))]...)
		}
		if !ended {
			return len(p), nil
		}
		l.endLine()
		rest = after
	}
}

func (l *Log) endLine() {
	if len(l.lines) == 2*keptLines { // halved now and then, not shifted by one at each line
		l.lines = append(l.lines[:0], l.lines[keptLines:]...)
		l.dropped += keptLines
	}
	l.lines = append(l.lines, string(bytes.TrimSuffix(l.part, []byte{'\r'})))
	l.part = l.part[:0]
	close(l.changed)
	l.changed = make(chan struct{})
}

// close ends the log: nobody writes to it any more. An unfinished last line counts as a line.
func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	if len(l.part) > 0 {
		l.endLine()
	}
	if l.file != nil {
		_ = l.file.Close() // it was appended to with single writes: nothing is pending
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Tail is the last n lines, or all that are remembered if there are fewer.
func (l *Log) Tail(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[max(0, len(l.lines)-n):]...)
}

// Wait returns the first line that match accepts, of the remembered ones and those to come. The error is ctx's, or says that
// the process ended without such a line.
func (l *Log) Wait(ctx context.Context, match func(line string) bool) (string, error) {
	next := 0 // counted from the first line ever
	for {
		l.mu.Lock()
		fresh := append([]string(nil), l.lines[min(max(0, next-l.dropped), len(l.lines)):]...)
		next = l.dropped + len(l.lines)
		changed, closed := l.changed, l.closed
		l.mu.Unlock()
		for _, line := range fresh {
			if match(line) {
				return line, nil
			}
		}
		if closed {
			return "", fmt.Errorf("wait for a log line: %w", os.ErrProcessDone)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for a log line: %w", ctx.Err())
		}
	}
}
