package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

func validateCommand(file *string) *cobra.Command {
	var campaigns string
	var poll bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration and a campaign document.",
		Long: "Check the configuration and, with --campaigns or --source, a campaign document.\n" +
			"Every finding is one line with its place. Exit code: 0 nothing found, 1 findings, 2 wrong command line.",
		Example: "  adsidecar validate --config gateway.yaml\n" +
			"  adsidecar validate --config gateway.yaml --campaigns new.json\n" +
			"  curl -s https://… | adsidecar validate --campaigns -",
		Args: program.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if campaigns != "" && poll {
				return program.Misused(errors.New("--campaigns and --source exclude each other"))
			}
			return validate(cmd.Context(), *file, campaigns, poll, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&campaigns, "campaigns", "", "A campaign document to check; - is stdin.")
	cmd.Flags().BoolVar(&poll, "source", false, "Check the document that the configured source has now.")
	return cmd
}

func validate(ctx context.Context, file, campaigns string, poll bool, stdin io.Reader, stdout io.Writer) error {
	c, err := gateway.Load(file)
	var findings gateway.Findings
	switch {
	case errors.As(err, &findings):
		_, _ = fmt.Fprintln(stdout, findings)
		_, _ = fmt.Fprintf(stdout, "%s: findings: %d\n", file, len(findings))
		return program.ErrReported
	case err != nil:
		return err
	}
	_, _ = fmt.Fprintf(stdout, "%s: ok\n", file)
	if campaigns == "" && !poll {
		return nil
	}
	var d document
	if poll {
		d, err = sourceDocument(ctx, &c.Campaigns)
	} else {
		d, err = givenDocument(ctx, &c.Campaigns, campaigns, stdin)
	}
	if err != nil {
		return err
	}
	return validateDocument(c, d, stdout)
}

func validateDocument(c *gateway.Config, d document, stdout io.Writer) error {
	name := d.origin.Location
	doc, err := campaign.Decode(d.Data)
	var place *campaign.DocumentError
	switch {
	case errors.As(err, &place):
		_, _ = fmt.Fprintf(stdout, "%s:%d:%d: %v\n%s: unusable as a whole\n", name, place.Line, place.Column, place.Err, name)
		return program.ErrReported
	case err != nil:
		_, _ = fmt.Fprintf(stdout, "%s: %v\n%s: unusable as a whole\n", name, err, name)
		return program.ErrReported
	}
	for _, r := range doc.Rejects {
		_, _ = fmt.Fprintf(stdout, "%s:%d: ad %d%s: %s: %s\n", name, r.Line, r.Index+1, field(r), r.Reason, r.Detail)
	}
	if more := doc.Rejected - len(doc.Rejects); more > 0 {
		_, _ = fmt.Fprintf(stdout, "%s: and %d more rejected ads\n", name, more)
	}
	result, err := compile.Compile(doc, compile.Params{SourceTime: d.SourceTime, MaxBytes: c.Campaigns.MaxIndexMiB << 20, Now: time.Now()})
	if err != nil {
		_, _ = fmt.Fprintf(stdout, "%s: %v\n", name, err)
		return program.ErrReported
	}
	_, _ = fmt.Fprintf(stdout, "%s: %d ads, %d rejected; index %s, %d pairs of country and language, %d bytes\n",
		name, result.Ads, doc.Rejected, result.Version, result.CanonicalKeys, len(result.Bytes))
	if doc.Rejected > 0 {
		return program.ErrReported
	}
	return nil
}

func field(r campaign.Reject) string {
	var b strings.Builder
	if r.Field != "" {
		b.WriteString(" " + r.Field)
	}
	if r.ID != "" {
		fmt.Fprintf(&b, " (%s)", r.ID)
	}
	return b.String()
}
