package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what must come. On a busy machine the go command takes its time to build.
const patience = 5 * time.Minute

func TestParseRounds(t *testing.T) {
	rounds, err := parseRounds([]string{"--", "-race", "./a/...", "--", "./b"})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"-race", "./a/..."}, {"./b"}}, rounds)

	for name, args := range map[string][]string{
		"no arguments":              nil,
		"arguments before a round":  {"./a"},
		"a round without arguments": {"--", "--", "./a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseRounds(args)
			require.Error(t, err)
		})
	}
}

// TestRun runs the real go command on a small module.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module sample\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "a_test.go"), `package sample

import "testing"

func TestPass(t *testing.T) { t.Run("sub", func(*testing.T) {}) }
func TestFail(t *testing.T) { t.Error("one is not two") }
func TestSkip(t *testing.T) { t.Skip("no reason") }
`)
	write(t, filepath.Join(dir, "broken", "b_test.go"), "package broken\n\nvar _ = undefined\n")

	tests := map[string]struct {
		rounds [][]string
		ok     bool
		shown  []string
	}{
		"rounds that pass are counted together": {
			rounds: [][]string{{"-run", "Pass", "."}, {"-count=1", "-run", "Pass", "."}},
			ok:     true,
			shown:  []string{"== go test -run Pass .\n", "ok    sample 2 tests", "DONE 4 tests in 2 packages, 0 failed, 0 skipped"},
		},
		"a failed test fails the run, and no further round starts": {
			rounds: [][]string{{"-run", "Pass|Fail", "."}, {"-run", "Pass", "."}},
			shown:  []string{"one is not two", "FAIL  sample TestFail", "DONE 3 tests in 1 packages, 1 failed, 0 skipped"},
		},
		"a skipped test fails the run": {
			rounds: [][]string{{"-run", "Pass|Skip", "."}},
			shown:  []string{"SKIP  sample TestSkip", "DONE 3 tests in 1 packages, 0 failed, 1 skipped"},
		},
		"a round without a test fails the run": {
			rounds: [][]string{{"-run", "Nothing", "."}},
			shown:  []string{"no test ran", "DONE 0 tests"},
		},
		"a package that does not build fails the run, though others pass": {
			rounds: [][]string{{"-run", "Pass", "./..."}},
			shown:  []string{"undefined: undefined", "FAIL  sample/broken", "ok    sample 2 tests"},
		},
		"a package that is not there fails the run": {
			rounds: [][]string{{"./missing"}},
			shown:  []string{"FAIL  go test ./missing"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, tt.ok, run(tt.rounds, dir, &out, nil), out.String())
			for _, want := range tt.shown {
				require.Contains(t, out.String(), want)
			}
		})
	}
}

// TestSignal holds that a signal ends the test binary too, not only the go command that started it.
func TestSignal(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	write(t, filepath.Join(dir, "go.mod"), "module sample\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "a_test.go"), `package sample

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func TestHang(t *testing.T) {
	if err := os.WriteFile("pid.tmp", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("pid.tmp", "pid"); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Hour)
}
`)

	var out bytes.Buffer
	signals := make(chan os.Signal, 1)
	done := make(chan bool, 1)
	go func() { done <- run([][]string{{"."}, {"."}}, dir, &out, signals) }()
	require.Eventually(t, func() bool { _, err := os.Stat(pidFile); return err == nil }, patience, 10*time.Millisecond)
	signals <- syscall.SIGTERM

	select {
	case ok := <-done:
		require.False(t, ok)
	case <-time.After(patience):
		require.Fail(t, "the run did not end")
	}
	require.Contains(t, out.String(), "stopped by a signal: terminated")

	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, patience, 10*time.Millisecond)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}
