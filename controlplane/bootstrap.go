package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/compile"
	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
	"adsidecar/filter/adindex"
	"adsidecar/internal/program"
)

func bootstrapCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var node string
	var static, withIndex bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print an Envoy's bootstrap.",
		Long: "Print an Envoy's bootstrap. Listener, clusters and index come from the control plane;\n" +
			"with --static only the index does. --static --with-index puts an index in, for an Envoy that must\n" +
			"start and serve while no control plane is up; it takes updates when one is. The index is that of the\n" +
			"last good document in campaigns.state_dir, and without one of the source's; stderr says which.",
		Example: "  adsidecar bootstrap --config gateway.yaml > envoy.yaml && envoy -c envoy.yaml",
		Args:    program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if withIndex && !static {
				return program.Misused(errors.New("--with-index needs --static: without it the listener comes from the control plane"))
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
	cmd.Flags().BoolVar(&withIndex, "with-index", false, "With --static: put an index in, of the last good document or else of the source's.")
	return cmd
}

// presentIndex compiles the last good document on disk: it is known that Envoys take its index, while the source's may be one that they
// refused, and no Envoy would start with that. Without one it is the source's. stderr is told which one it is.
func presentIndex(ctx context.Context, c *gateway.Config, stderr io.Writer) ([]byte, error) {
	used, index, diskErr := lastGoodIndex(c)
	if diskErr != nil {
		var err error
		if used, index, err = sourceIndex(ctx, c); err != nil {
			return nil, fmt.Errorf("no index: %w; and of the source: %w", diskErr, err)
		}
		used.Instead = diskErr.Error()
	}
	_, _ = fmt.Fprintf(stderr, "adsidecar: index of the document %s\n", used.text(time.Now()))
	return index, nil
}

func lastGoodIndex(c *gateway.Config) (origin, []byte, error) {
	d, err := lastGoodDocument(&c.Campaigns)
	if err != nil {
		return origin{}, nil, err
	}
	index, err := d.compile(c)
	if err != nil {
		err = fmt.Errorf("last good document: %w", err)
	}
	return d.origin, index, err
}

func sourceIndex(ctx context.Context, c *gateway.Config) (origin, []byte, error) {
	d, err := sourceDocument(ctx, &c.Campaigns)
	if err != nil {
		return origin{}, nil, err
	}
	index, err := d.compile(c)
	return d.origin, index, err
}

func (d document) compile(c *gateway.Config) ([]byte, error) {
	doc, err := d.decode()
	if err != nil {
		return nil, err
	}
	result, err := compile.Compile(doc, compile.Params{SourceTime: d.SourceTime, MaxBytes: c.Campaigns.MaxIndexMiB << 20})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.origin.Location, err)
	}
	return result.Bytes, nil
}
