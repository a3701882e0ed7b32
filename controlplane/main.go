// Command adsidecar is the control plane of the ad gateway: it polls the campaign source, compiles the index and pushes it to every
// Envoy. Its other commands check a configuration, explain an answer and print an Envoy's bootstrap, or ask a control plane that runs:
// they see and change campaigns, and take a change back.
//
// This package is wiring only: it turns the gateway's configuration into the parts and connects them.
package main

import (
	"github.com/spf13/cobra"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

func main() { program.Main(command()) }

func command() *cobra.Command {
	root := &cobra.Command{Use: "adsidecar", Short: "Control plane of the ad gateway."}
	var file string
	root.PersistentFlags().StringVarP(&file, "config", "c", "gateway.yaml", "The gateway's configuration.")
	load := func() (*gateway.Config, error) { return gateway.Load(file) }
	root.AddCommand(serveCommand(load), validateCommand(&file), explainCommand(load), bootstrapCommand(load), initCommand(load))
	r := remote{load: load}
	root.AddCommand(campaignsCommand(r), diffCommand(r), historyCommand(r), revertCommand(r), versionsCommand(r), rollbackCommand(r),
		resumeCommand(r), heldCommand(r), pollCommand(r), fleetCommand(r))
	return root
}
