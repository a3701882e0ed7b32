// Command adsidecar is the control plane of the ad gateway: it polls the campaign source, compiles the index and pushes it to every
// Envoy. Its other commands check a configuration, explain an answer and print an Envoy's bootstrap.
//
// This package is wiring only: it turns the gateway's configuration into the parts and connects them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"adsidecar/envoy/gateway"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitMisused  = 2 // of the command line
	exitFindings = 1 // validate found something
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, should the shutdown hang.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: args in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "adsidecar",
		Short:         "Control plane of the ad gateway.",
		SilenceErrors: true,
		SilenceUsage:  true,
		// The default command would list itself among ours.
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	var file string
	root.PersistentFlags().StringVarP(&file, "config", "c", "gateway.yaml", "The gateway's configuration.")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse{fmt.Errorf("%w\n\n%s", err, cmd.UsageString())}
	})
	load := func() (*gateway.Config, error) { return gateway.Load(file) }
	root.AddCommand(serveCommand(load), validateCommand(&file), explainCommand(load), bootstrapCommand(load))

	err := root.ExecuteContext(ctx)
	if _, _, unknown := root.Find(args); err != nil && unknown != nil {
		err = misuse{unknown}
	}
	var m misuse
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings): // already printed
		return exitFindings
	case errors.As(err, &m):
		_, _ = fmt.Fprintln(stderr, "adsidecar:", err)
		return exitMisused
	}
	_, _ = fmt.Fprintln(stderr, "adsidecar:", err)
	return exitFailed
}

// misuse is an error of the command line.
type misuse struct{ error }

// noArguments is for commands that take flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse{fmt.Errorf("%s takes no arguments, got %q\n\n%s", cmd.Name(), args, cmd.UsageString())}
	}
	return nil
}
