// Command adsidecar-users is the user service: it signs players in, and keeps their records. Envoy stands in front of it.
//
// This package is wiring only: it turns the gateway's configuration into the parts and connects them.
package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

func main() { program.Main(command()) }

// run is main without the process: args in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return program.Run(ctx, command(), args, stdin, stdout, stderr)
}

func command() *cobra.Command {
	root := &cobra.Command{Use: "adsidecar-users", Short: "User service of the ad gateway: signs players in and keeps their records."}
	var file string
	root.PersistentFlags().StringVarP(&file, "config", "c", "gateway.yaml", "The gateway's configuration.")
	load := func() (*gateway.Config, error) {
		c, err := gateway.Load(file)
		if err == nil && c.Users == nil {
			return nil, errors.New(file + ": users: is missing: this gateway has no user service")
		}
		return c, err
	}
	root.AddCommand(serveCommand(load), initCommand(load))
	return root
}
