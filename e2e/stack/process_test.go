package stack

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func start(t *testing.T, mode string) (*Process, string) {
	t.Helper()
	p, err := StartProcess(helperCommand(mode))
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	line, err := p.Log.Wait(within(t, patience), isAddress)
	require.NoError(t, err)
	return p, line
}

func TestChildDiesWithItsParent(t *testing.T) {
	for _, mode := range []string{"parent killed", "parent panics", "parent exits", "parent with watchdog"} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), helperMode+"="+mode)
			tell, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			child := connect(t, strings.TrimSpace(line))
			_, err = tell.Write([]byte("\n"))
			require.NoError(t, err)
			_ = cmd.Wait() // however it ends
			requireDead(t, child)
		})
	}
}

func TestKillTakesGrandchildren(t *testing.T) {
	p, err := StartProcess(Command{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", `"$0" & wait`, os.Args[0]}, Env: []string{helperMode + "=serve"},
	})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	line, err := p.Log.Wait(within(t, patience), isAddress)
	require.NoError(t, err)
	grandchild := connect(t, line)
	p.Kill()
	requireDead(t, grandchild)
	require.NoError(t, p.Err(), "an end that was asked for is no error")
}

func TestGrandchildrenDieWhenTheirParentEndsByItself(t *testing.T) {
	// The shell ends when the pipe has a line, which the test writes when the grandchild runs.
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	p, err := StartProcess(Command{
		Name: "shell", Path: "/bin/sh", Args: []string{"-c", `"$0" & read _ <"$1"`, os.Args[0], fifo}, Env: []string{helperMode + "=serve"},
	})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	line, err := p.Log.Wait(within(t, patience), isAddress)
	require.NoError(t, err)
	grandchild := connect(t, line)
	require.NoError(t, os.WriteFile(fifo, []byte("\n"), 0o600))
	<-p.Done()
	requireDead(t, grandchild)
	require.ErrorContains(t, p.Err(), "exit status 0")
}

func TestStopLetsAProcessEndByItself(t *testing.T) {
	p, _ := start(t, "serve")
	require.True(t, p.Running())
	require.NoError(t, p.Stop(patience))
	require.False(t, p.Running())
	require.NoError(t, p.Err())
	require.Zero(t, p.ExitCode())
	require.Equal(t, []string{"goodbye"}, p.Log.Tail(1))
	require.NoError(t, p.Stop(time.Second), "stopping it again does nothing")
	require.ErrorIs(t, p.Pause(), os.ErrProcessDone)
}

func TestStopKillsAfterTheGrace(t *testing.T) {
	p, line := start(t, "stubborn")
	c := connect(t, line)
	err := p.Stop(50 * time.Millisecond)
	require.ErrorContains(t, err, "did not end within 50ms and was killed")
	requireDead(t, c)
	require.Equal(t, -1, p.ExitCode())
}

func TestStopEndsAPausedProcess(t *testing.T) {
	p, _ := start(t, "serve")
	require.NoError(t, p.Pause())
	require.NoError(t, p.Stop(patience))
	require.Equal(t, []string{"goodbye"}, p.Log.Tail(1))
}

func TestContinueWakesAPausedProcess(t *testing.T) {
	p, _ := start(t, "serve")
	require.NoError(t, p.Pause())
	require.True(t, p.Running())
	require.NoError(t, p.Continue())
	require.NoError(t, p.Stop(patience))
}

func TestEndByItselfIsAnErrorWithTheLastLines(t *testing.T) {
	log := filepath.Join(t.TempDir(), "deep", "helper.log")
	c := helperCommand("fail")
	c.LogFile = log
	p, err := StartProcess(c)
	require.NoError(t, err)
	<-p.Done()
	require.ErrorContains(t, p.Err(), "helper (process ")
	require.ErrorContains(t, p.Err(), "exit status 3")
	require.ErrorContains(t, p.Err(), "it went wrong")
	require.Equal(t, 3, p.ExitCode())
	written, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(written), "the first line\n")
}

func TestStartNamesTheProgramThatIsMissing(t *testing.T) {
	_, err := StartProcess(Command{Name: "envoy", Path: filepath.Join(t.TempDir(), "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "start envoy")
}

func TestRunToEnd(t *testing.T) {
	out, err := runToEnd(within(t, patience), helperCommand("fail"))
	require.ErrorContains(t, err, "exit status 3")
	require.Contains(t, out, "the first line\n")
	out, err = runToEnd(within(t, patience), Command{Name: "true", Path: "/bin/sh", Args: []string{"-c", "echo fine"}})
	require.NoError(t, err)
	require.Equal(t, "fine", out)
	_, err = runToEnd(within(t, 50*time.Millisecond), helperCommand("stubborn"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestLockThatCannotBeIsAnErrorAtOnce(t *testing.T) {
	ctx := within(t, time.Minute)
	_, err := lock(ctx, t.TempDir(), func() {}) // a folder
	require.Error(t, err)
	require.NoError(t, ctx.Err())
}

func TestWaitForEndsWithTheProcess(t *testing.T) {
	p, err := StartProcess(helperCommand("fail"))
	require.NoError(t, err)
	ctx := within(t, time.Minute)
	err = p.WaitFor(ctx, "ready", func(context.Context) error { return errors.New("not yet") })
	require.NoError(t, ctx.Err(), "it does not wait for what cannot come")
	require.ErrorContains(t, err, "wait for helper to be ready")
	require.ErrorContains(t, err, "exit status 3")
}

func TestWaitForShowsTheLastAttemptAndLines(t *testing.T) {
	p, _ := start(t, "serve")
	err := p.WaitFor(within(t, 50*time.Millisecond), "ready", func(context.Context) error { return errors.New("not yet") })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "not yet")
	require.ErrorContains(t, err, "listening 127.0.0.1:")
}

func TestLog(t *testing.T) {
	t.Run("lines come in pieces", func(t *testing.T) {
		l, err := openLog("")
		require.NoError(t, err)
		for _, piece := range []string{"on", "e\ntwo\r\n", "", "th"} {
			_, err := l.Write([]byte(piece))
			require.NoError(t, err)
		}
		require.Equal(t, []string{"one", "two"}, l.Tail(10))
		l.close()
		l.close()
		require.Equal(t, []string{"two", "th"}, l.Tail(2))
	})
	t.Run("old lines are forgotten, new ones still found", func(t *testing.T) {
		l, err := openLog("")
		require.NoError(t, err)
		for range 5 * keptLines {
			_, _ = l.Write([]byte("old\n"))
		}
		_, _ = l.Write([]byte("new\n"))
		require.LessOrEqual(t, len(l.Tail(10*keptLines)), 2*keptLines)
		line, err := l.Wait(within(t, patience), func(s string) bool { return s == "new" })
		require.NoError(t, err)
		require.Equal(t, "new", line)
	})
	t.Run("lines that come while others are forgotten are not missed", func(t *testing.T) {
		l, err := openLog("")
		require.NoError(t, err)
		_, _ = l.Write([]byte(strings.Repeat("old\n", 2*keptLines)))
		more := sync.OnceFunc(func() { _, _ = l.Write([]byte("new\nnewer\n")) })
		line, err := l.Wait(within(t, patience), func(s string) bool { more(); return s == "new" })
		require.NoError(t, err)
		require.Equal(t, "new", line)
	})
	t.Run("an endless line does not fill the memory", func(t *testing.T) {
		l, err := openLog("")
		require.NoError(t, err)
		for range 100 {
			_, _ = l.Write([]byte(strings.Repeat("x", maxLine/10)))
		}
		_, _ = l.Write([]byte("\nnext\n"))
		got := l.Tail(2)
		require.Len(t, got[0], maxLine)
		require.Equal(t, "next", got[1])
	})
	t.Run("waiting ends with the process or the context", func(t *testing.T) {
		l, err := openLog("")
		require.NoError(t, err)
		never := func(string) bool { return false }
		_, err = l.Wait(within(t, time.Millisecond), never)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		l.close()
		_, err = l.Wait(within(t, time.Minute), never)
		require.ErrorIs(t, err, os.ErrProcessDone)
	})
}
