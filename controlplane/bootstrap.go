package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
	"adsidecar/filter/adindex"
)

func bootstrapCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var node string
	var static, withIndex bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print an Envoy's bootstrap.",
		Long: "Print an Envoy's bootstrap. Listener, clusters and index come from the control plane;\n" +
			"with --static only the index does. --static --with-index puts the index of now in, for an Envoy\n" +
			"that must start and serve while no control plane is up; it takes updates when one is.",
		Example: "  adsidecar bootstrap --config gateway.yaml > envoy.yaml && envoy -c envoy.yaml",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if withIndex && !static {
				return misuse{errors.New("--with-index needs --static: without it the listener comes from the control plane")}
			}
			c, err := load()
			if err != nil {
				return err
			}
			o := envoy.BootstrapOptions{NodeID: node, Format: adindex.FormatVersion, Static: static}
			if withIndex {
				if o.Index, err = presentIndex(cmd.Context(), c, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			text, err := envoy.YAML(envoy.Bootstrap(c, o))
			if err != nil {
				return fmt.Errorf("encode the bootstrap: %w", err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&node, "node-id", "", "Name of this Envoy (default: envoy.node_id of the configuration).")
	cmd.Flags().BoolVar(&static, "static", false, "Put listener and clusters in.")
	cmd.Flags().BoolVar(&withIndex, "with-index", false, "With --static: put the index of now in.")
	return cmd
}

// presentIndex compiles what the source has now; a source that is down or unusable is replaced by the last good document on disk, and
// stderr says so.
func presentIndex(ctx context.Context, c *gateway.Config, stderr io.Writer) ([]byte, error) {
	index, err := sourceIndex(ctx, c)
	if err == nil {
		return index, nil
	}
	src, _, openErr := openSource(&c.Campaigns, zap.NewNop())
	if openErr != nil {
		return nil, openErr
	}
	last, diskErr := publish.LastGood(c.Campaigns.StateDir, src)
	if diskErr != nil {
		return nil, fmt.Errorf("no index: %w; and no last good document: %w", err, diskErr)
	}
	_, _ = fmt.Fprintf(stderr, "adsidecar: %v; using the last good document in %s\n", err, c.Campaigns.StateDir)
	return compiled(c, last)
}

func sourceIndex(ctx context.Context, c *gateway.Config) ([]byte, error) {
	snapshot, name, err := document(ctx, c, "", nil)
	if err != nil {
		return nil, err
	}
	index, err := compiled(c, snapshot)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return index, nil
}

func compiled(c *gateway.Config, snapshot campaign.Snapshot) ([]byte, error) {
	doc, err := campaign.Decode(snapshot.Data)
	if err != nil {
		return nil, err
	}
	result, err := compile.Compile(doc, compile.Params{SourceTime: snapshot.SourceTime, MaxBytes: c.Campaigns.MaxIndexMiB << 20})
	if err != nil {
		return nil, err
	}
	return result.Bytes, nil
}
