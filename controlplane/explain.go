package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/envoy/gateway"
)

type explainOptions struct {
	country, lang, at, campaigns string
	json                         bool
}

func explainCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say which ads a country and language get, in which order, and why the others are not served.",
		Example: "  adsidecar explain --country us --lang eng\n" +
			"  adsidecar explain --country fr --lang fr --at 2026-12-24T23:59:59Z --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			return explain(cmd.Context(), c, o, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.country, "country", "", "Two letters, as in a request.")
	cmd.Flags().StringVar(&o.lang, "lang", "", "Two or three letters, as in a request.")
	cmd.Flags().StringVar(&o.at, "at", "", "The time, RFC 3339 with an offset (default: now).")
	cmd.Flags().StringVar(&o.campaigns, "campaigns", "", "A campaign document; - is stdin (default: what the configured source has now).")
	cmd.Flags().BoolVar(&o.json, "json", false, "Print JSON.")
	return cmd
}

func explain(ctx context.Context, c *gateway.Config, o explainOptions, stdin io.Reader, stdout io.Writer) error {
	at := time.Now()
	if o.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, o.at); err != nil {
			return misuse{fmt.Errorf("--at: %q is not a time such as 2026-12-24T23:59:59Z", o.at)}
		}
	}
	// Asked of an empty document first: a wrong code should not cost a download.
	if _, err := compile.Explain(&campaign.Document{}, o.country, o.lang, at); err != nil {
		return misuse{fmt.Errorf("explain: %w", err)}
	}
	snapshot, name, err := document(ctx, c, o.campaigns, stdin)
	if err != nil {
		return err
	}
	doc, err := campaign.Decode(snapshot.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	e, err := compile.Explain(doc, o.country, o.lang, at)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	return e.WriteText(stdout)
}
