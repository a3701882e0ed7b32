package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

type explainOptions struct {
	country, lang, at, campaigns string
	lastGood, live, published    bool
	json                         bool
}

func explainCommand(load func() (*gateway.Config, error)) *cobra.Command {
	var o explainOptions
	r := remote{load: load}
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say which ads a country and language get, in which order, and why the others are not served.",
		Long: "Say which ads a country and language get, in which order, and why the others are not served.\n" +
			"With --live, --server or ADSIDECAR_SERVER the control plane is asked: it knows what operators changed. With --published\n" +
			"it says what its Envoys answer, from the index that is published, and nothing of the others. Otherwise the\n" +
			"document is the one of --campaigns, else the source's, which may be one that is not published, else, if the source\n" +
			"fails, the last good one in campaigns.state_dir. The first line says which one it is.",
		Example: "  adsidecar explain --country us --lang eng\n" +
			"  adsidecar explain --country fr --lang fr --at 2026-12-24T23:59:59Z -o json\n" +
			"  adsidecar explain --country fr --lang fr --live",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.checkOutput(); err != nil {
				return err
			}
			o.json = o.json || r.output == outputJSON
			if o.lastGood && o.campaigns != "" {
				return program.Misused(errors.New("--campaigns and --last-good exclude each other"))
			}
			if (o.live || o.published) && (o.lastGood || o.campaigns != "") {
				return program.Misused(errors.New("--live and --published exclude --campaigns and --last-good"))
			}
			if o.asked(cmd) {
				at, err := o.time(time.Time{})
				if err != nil {
					return err
				}
				if o.published {
					return servedAsked(cmd.Context(), &r, o, at, cmd.OutOrStdout())
				}
				return explainAsked(cmd.Context(), &r, o, at, cmd.OutOrStdout())
			}
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
	cmd.Flags().BoolVar(&o.lastGood, "last-good", false, "Explain the last good document in campaigns.state_dir.")
	cmd.Flags().BoolVar(&o.live, "live", false, "Ask the control plane that runs at admin.address of the configuration, or at --server.")
	cmd.Flags().BoolVar(&o.published, "published", false, "Ask what Envoys answer, also where a pin or a guard keeps newer campaigns back.")
	cmd.Flags().StringVarP(&r.output, "output", "o", outputTable, "table, for people, or json.")
	cmd.Flags().BoolVar(&o.json, "json", false, "Print JSON: as -o json.")
	_ = cmd.Flags().MarkHidden("json") // which it is for those who wrote it before there was -o; the flag is there
	r.connection(cmd)
	return cmd
}

// time is that of --at, or else now.
func (o *explainOptions) time(now time.Time) (time.Time, error) {
	if o.at == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return time.Time{}, program.Misused(fmt.Errorf("--at: %q is not a time such as 2026-12-24T23:59:59Z", o.at))
	}
	return at, nil
}

func explain(ctx context.Context, c *gateway.Config, o explainOptions, stdin io.Reader, stdout io.Writer) error {
	at, err := o.time(time.Now())
	if err != nil {
		return err
	}
	// Asked of an empty document first: a wrong code should not cost a download.
	if _, err := compile.Explain(&campaign.Document{}, o.country, o.lang, at); err != nil {
		return program.Misused(fmt.Errorf("explain: %w", err))
	}
	d, doc, err := explained(ctx, &c.Campaigns, o, stdin)
	if err != nil {
		return err
	}
	var overridden []campaign.Campaign
	if o.campaigns == "" {
		doc, overridden = underOperatorsIfKnown(ctx, &c.Campaigns, &d.origin, doc)
	}
	e, err := compile.ExplainOver(doc, overridden, o.country, o.lang, at)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Document origin `json:"document"`
			compile.Explanation
		}{d.origin, e})
	}
	if _, err := fmt.Fprintf(stdout, "document: %s\n", d.origin.text(time.Now())); err != nil {
		return err
	}
	if d.origin.Operators != "" {
		if _, err := fmt.Fprintf(stdout, "operators: %s\n", d.origin.Operators); err != nil {
			return err
		}
	}
	return e.WriteText(stdout)
}

// underOperatorsIfKnown lays the operators' changes over the document. A control plane that runs has the file of the changes: they are left
// out then, and the origin says so.
func underOperatorsIfKnown(ctx context.Context, c *gateway.Campaigns, o *origin, doc *campaign.Document) (*campaign.Document, []campaign.Campaign) {
	effective, err := underOperators(ctx, c, doc)
	switch {
	case err != nil:
		o.Operators = fmt.Sprintf("their changes are left out, as they cannot be read here (--live asks the control plane): %v", err)
		return doc, nil
	case effective.Document != doc:
		o.Operators = fmt.Sprintf("their changes are in: %d campaigns of theirs, %d of the source's paused",
			effective.Operators(), effective.PausedByOperator())
	}
	return effective.Document, effective.Overridden
}

// explained returns the document that is asked for. The last good one takes the place of a source's that cannot be used, as it does in
// what is served.
func explained(ctx context.Context, c *gateway.Campaigns, o explainOptions, stdin io.Reader) (document, *campaign.Document, error) {
	switch {
	case o.lastGood:
		return decoded(lastGoodDocument(c))
	case o.campaigns != "":
		return decoded(givenDocument(ctx, c, o.campaigns, stdin))
	}
	d, doc, err := decoded(sourceDocument(ctx, c))
	if err == nil {
		return d, doc, nil
	}
	d, doc, diskErr := decoded(lastGoodDocument(c))
	if diskErr != nil {
		return document{}, nil, fmt.Errorf("%w; and %w", err, diskErr)
	}
	d.origin.Instead = err.Error()
	return d, doc, nil
}

func decoded(d document, err error) (document, *campaign.Document, error) {
	if err != nil {
		return document{}, nil, err
	}
	doc, err := d.decode()
	return d, doc, err
}
