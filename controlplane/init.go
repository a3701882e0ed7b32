package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

// initTimeout bounds making the table, which AWS does in seconds.
const initTimeout = 5 * time.Minute

func initCommand(load func() (*gateway.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the table of the operators' changes where it is missing.",
		Long: "Make the DynamoDB table of campaigns.operators where it is missing, encrypted and paid for by request, and turn on its\n" +
			"point-in-time recovery (AWS charges for it). A table that is there stays as it is otherwise; one with another key is an error.\n" +
			"Init may be repeated. A file needs none.",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), initTimeout)
			defer cancel()
			return initOperators(ctx, &c.Campaigns, cmd.OutOrStdout())
		},
	}
}

func initOperators(ctx context.Context, c *gateway.Campaigns, out io.Writer) error {
	d := c.Operators.DynamoDB
	if d == nil {
		_, _ = fmt.Fprintf(out, "the file %s is made by serve: nothing to do\n", c.OperatorsFile())
		return nil
	}
	store, err := operatorsTable(ctx, d, zap.NewNop())
	if err != nil {
		return err
	}
	if err := store.Init(ctx); err != nil {
		return fmt.Errorf("campaigns.operators.dynamodb: %w", err)
	}
	_, _ = fmt.Fprintf(out, "the table %s is there\n", d.Table)
	return nil
}
