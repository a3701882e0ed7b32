package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
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
			"start and serve while no control plane is up; it takes updates when one is. The index is the one that was\n" +
			"published last, from campaigns.state_dir, else that of the last good document there, else of the source's, with the\n" +
			"operators' changes; stderr says which.",
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

// presentIndex is the index that was published last. Without it the last good document on disk is compiled: it is known that Envoys take
// its index, while the source's may be one that they refused, and no Envoy would start with that. Without one it is the source's. stderr
// is told which one it is.
func presentIndex(ctx context.Context, c *gateway.Config, stderr io.Writer) ([]byte, error) {
	used, index, diskErr := lastPublished(&c.Campaigns)
	if diskErr != nil {
		if !errors.Is(diskErr, fs.ErrNotExist) {
			_, _ = fmt.Fprintf(stderr, "adsidecar: the last published index is not used: %v\n", diskErr)
		}
		used, index, diskErr = lastGoodIndex(ctx, c)
	}
	if diskErr != nil {
		var err error
		if used, index, err = sourceIndex(ctx, c); err != nil {
			return nil, fmt.Errorf("no index: %w; and of the source: %w", diskErr, err)
		}
		used.Instead = diskErr.Error()
	}
	text := used.text(time.Now())
	if used.Operators != "" {
		text += ", " + used.Operators
	}
	_, _ = fmt.Fprintf(stderr, "adsidecar: index of the document %s\n", text)
	return index, nil
}

func lastPublished(c *gateway.Campaigns) (origin, []byte, error) {
	src, _, err := openSource(c, zap.NewNop())
	if err != nil {
		return origin{}, nil, err
	}
	index, version, err := publish.LastIndex(c.StateDir, src)
	if err != nil {
		return origin{}, nil, err
	}
	report, err := publish.ReportOf(version)
	if err != nil {
		return origin{}, nil, err
	}
	o := origin{From: fromLastGood, Location: c.StateDir, SourceTime: report.SourceTime}
	if version.Revision > 0 {
		o.Operators = fmt.Sprintf("with the operators' changes up to revision %d", version.Revision)
	}
	return o, index, nil
}

func lastGoodIndex(ctx context.Context, c *gateway.Config) (origin, []byte, error) {
	d, err := lastGoodDocument(&c.Campaigns)
	if err != nil {
		return origin{}, nil, err
	}
	index, err := d.compile(ctx, c)
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
	index, err := d.compile(ctx, c)
	return d.origin, index, err
}

// compile fails where the operators' changes cannot be read: without them it might serve what they paused.
func (d document) compile(ctx context.Context, c *gateway.Config) ([]byte, error) {
	doc, err := d.decode()
	if err != nil {
		return nil, err
	}
	effective, err := underOperators(ctx, &c.Campaigns, doc)
	if err != nil {
		return nil, err
	}
	result, err := compile.Compile(effective.Document,
		compile.Params{SourceTime: d.SourceTime, MaxBytes: c.Campaigns.MaxIndexMiB << 20, Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.origin.Location, err)
	}
	return result.Bytes, nil
}
