package stack

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// helperMode, in the environment, makes the test binary one of the processes that the tests start.
const helperMode = "ADSIDECAR_STACK_HELPER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperMode); mode != "" {
		os.Exit(helper(mode))
	}
	goleak.VerifyTestMain(m)
}

// helper is the main function of a process under test.
func helper(mode string) int {
	if version, ok := strings.CutPrefix(mode, "envoy "); ok {
		fmt.Printf("envoy  version: abc/%s/Clean/RELEASE/BoringSSL\n", version)
		return 0
	}
	switch mode {
	case "serve": // listens, says where, and stays until it is told to end
		ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer cancel()
		sayAddress()
		<-ctx.Done()
		fmt.Println("goodbye")
		return 0
	case "stubborn": // does not end when it is asked to
		signal.Ignore(syscall.SIGTERM)
		sayAddress()
		select {}
	case "fail":
		fmt.Println("the first line")
		fmt.Fprintln(os.Stderr, "it went wrong")
		return 3
	case "parent killed", "parent panics", "parent exits": // starts a child and dies
		child, err := StartProcess(helperCommand("serve"))
		if err != nil {
			fmt.Println(err)
			return 1
		}
		line, err := child.Log.Wait(context.Background(), isAddress)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(line)
		waitForStdin()
		return die(mode)
	case "parent with watchdog": // the same where the kernel does not help
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helperMode+"=serve")
		cmd.Stdout = os.Stdout
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		if _, err := watchdog(cmd.Process.Pid); err != nil {
			fmt.Println(err)
			return 1
		}
		waitForStdin()
		return die("parent killed")
	default:
		fmt.Println("unknown mode", mode)
		return 1
	}
}

func die(mode string) int {
	switch mode {
	case "parent panics":
		go func() { panic("on purpose") }()
		select {}
	case "parent killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return 0
}

// sayAddress listens for the life of the process and takes every connection, so that its peer notices the end.
func sayAddress() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		var kept []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(1)
			}
			kept = append(kept, c)
			runtime.KeepAlive(kept)
		}
	}()
	fmt.Println("listening " + l.Addr().String())
}

func isAddress(line string) bool { return len(line) > 10 && line[:10] == "listening " }

func waitForStdin() { _, _ = os.Stdin.Read(make([]byte, 1)) }

func helperCommand(mode string) Command {
	return Command{Name: "helper", Path: os.Args[0], Env: []string{helperMode + "=" + mode}}
}

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// within is a context for one step of a test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// connect opens a connection to the process that printed line.
func connect(t *testing.T, line string) net.Conn {
	t.Helper()
	require.True(t, isAddress(line), line)
	c, err := net.Dial("tcp", line[10:])
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// requireDead waits for the end of the process at the other end of c. A process number would not do: it stays while nobody reaps it.
func requireDead(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the process still lives")
}
