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
	"adsidecar/users/dynamostore"
)

// initTimeout bounds making the tables, which AWS does in seconds.
const initTimeout = 5 * time.Minute

func initCommand(load func() (*gateway.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the store's tables where they are missing.",
		Long: "Make the DynamoDB tables of users.store where they are missing, encrypted and paid for by request.\n" +
			"A table that is there stays as it is, but for this: point-in-time recovery of the records is turned on (AWS charges for it), and\n" +
			"so is the expiry of idempotency keys. One with another key is an error, and so is expiry by another attribute.\n" +
			"Init may be repeated. A file store needs none.",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), initTimeout)
			defer cancel()
			return initStore(ctx, &c.Users.Store, cmd.OutOrStdout())
		},
	}
}

func initStore(ctx context.Context, s *gateway.Store, out io.Writer) error {
	if s.DynamoDB == nil {
		_, _ = fmt.Fprintf(out, "the file %s is made by serve: nothing to do\n", s.File)
		return nil
	}
	store, err := openDynamo(ctx, s.DynamoDB, zap.NewNop())
	if err != nil {
		return err
	}
	if err := store.Init(ctx); err != nil {
		return fmt.Errorf("users.store.dynamodb: %w", err)
	}
	_, _ = fmt.Fprintf(out, "the tables %s and %s are there\n", s.DynamoDB.Table, s.DynamoDB.Table+dynamostore.KeysSuffix)
	return nil
}
