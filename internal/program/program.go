// Package program is what every program of the product has in common: its command line's errors and exit codes, its logger, and the
// signals that end it.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMisused = 2 // of the command line
)

// ErrReported is returned by a command that failed and has said why: it exits with 1 and prints nothing more.
var ErrReported = errors.New("reported")

// Misuse is an error of the command line, which exits with 2.
type Misuse struct{ error }

// Misused wraps err as a Misuse.
func Misused(err error) error { return Misuse{err} }

// Exit is an error with an exit code of its own.
type Exit struct {
	error
	code int
}

// ExitWith wraps err as an Exit.
func ExitWith(code int, err error) error { return Exit{err, code} }

// Unwrap returns what went wrong.
func (e Exit) Unwrap() error { return e.error }

// Main runs root with the process's arguments and streams, and exits. SIGTERM and Ctrl-C end its context; a second one ends the process
// at once, should the shutdown hang.
func Main(root *cobra.Command) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // before anybody can see that it ends: a second signal is not lost
		cancel()
	}()
	os.Exit(Run(ctx, root, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Run is Main without the process: args in, exit code out. An error is printed to stderr after the program's name.
func Run(ctx context.Context, root *cobra.Command, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true // it would list itself among ours
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.Version = Version()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Misused(fmt.Errorf("%w\n\n%s", err, cmd.UsageString()))
	})
	err := root.ExecuteContext(ctx)
	if _, _, unknown := root.Find(args); err != nil && unknown != nil {
		err = Misused(unknown)
	}
	var m Misuse
	var exit Exit
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, ErrReported):
		return exitFailed
	case errors.As(err, &m):
		_, _ = fmt.Fprintln(stderr, root.Name()+":", err)
		return exitMisused
	case errors.As(err, &exit):
		_, _ = fmt.Fprintln(stderr, root.Name()+":", err)
		return exit.code
	}
	_, _ = fmt.Fprintln(stderr, root.Name()+":", err)
	return exitFailed
}

// NoArguments is the Args of commands that take flags only.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Misused(fmt.Errorf("%s takes no arguments, got %q\n\n%s", cmd.Name(), args, cmd.UsageString()))
	}
	return nil
}

// Part names the part that an error came from. The end of the context is none.
func Part(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// LogLevelFlag adds --log-level to cmd.
func LogLevelFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("log-level", "info", "One of debug, info, warn, error.")
}

// A flood of requests or of broken peers must not become a flood of lines: of one message in a second the first are logged, and then
// one in so many.
const (
	sampleFirst = 100
	sampleAfter = 100
)

// Logs are two loggers of JSON lines with one output.
type Logs struct {
	// Log tells what happens, from the level that was asked for, and at most about a hundred lines a second of one message.
	Log *zap.Logger
	// Audit tells who changed what. Every line is written, whatever the level and however many there are.
	Audit *zap.Logger
}

// Named adds a part's name to both.
func (l Logs) Named(part string) Logs {
	return Logs{Log: l.Log.Named(part), Audit: l.Audit.Named(part)}
}

// NewLogs logs to out.
func NewLogs(level string, out io.Writer) (Logs, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil || l > zapcore.ErrorLevel {
		return Logs{}, Misused(fmt.Errorf("--log-level: %q is none of debug, info, warn, error", level))
	}
	format := zap.NewProductionEncoderConfig()
	format.TimeKey, format.MessageKey = "time", "message"
	format.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	format.EncodeDuration = zapcore.StringDurationEncoder
	lines := zapcore.Lock(zapcore.AddSync(out))
	from := func(level zapcore.Level) zapcore.Core {
		return zapcore.NewCore(zapcore.NewJSONEncoder(format), lines, level)
	}
	return Logs{
		Log:   zap.New(zapcore.NewSamplerWithOptions(from(l), time.Second, sampleFirst, sampleAfter)),
		Audit: zap.New(from(zapcore.DebugLevel)),
	}, nil
}
