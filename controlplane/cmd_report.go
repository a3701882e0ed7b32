package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/program"
)

// atMostAVersion takes a version, or nothing.
func atMostAVersion(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return program.Misused(fmt.Errorf("%s takes one version at most, got %q\n\n%s", cmd.Name(), args, cmd.UsageString()))
	}
	return notEmpty(cmd, args)
}

// version prints what a published version tells of itself.
func (s *session) version(ctx context.Context, text string) error {
	whole, err := s.versions(ctx, text)
	if err != nil {
		return err
	}
	a, err := s.Version(ctx, whole[0])
	if err != nil || s.json {
		return errors.Join(err, printJSON(s.out, a.JSON))
	}
	if err := reportTable(&a.Value).print(s.out); err != nil {
		return err
	}
	for _, c := range a.Value.Cuts {
		if err := say(s.out, "Weights of %s are made smaller: %s, %d turns in place of %d", c.Key, count(c.Ads, "ad"), c.Turns, c.Uncut); err != nil {
			return err
		}
	}
	return nil
}

func reportTable(v *apiv1.Version) *table {
	t := newTable("VERSION", cell(v.Version))
	t.row("PUBLISHED", moment(v.PublishedAt))
	t.row("NOW", nowText(v))
	t.row("DOCUMENT", v.Document)
	t.row("SOURCE TIME", moment(v.SourceTime))
	t.row("REVISION", v.Revision)
	t.row("ADS", v.Ads)
	t.row("KEYS", v.Keys)
	t.row("BYTES", v.Bytes)
	t.row("REJECTED", rejectedText(v))
	t.row("CUT CYCLES", v.CutCycles)
	t.row("TIME ZONES", v.TimeZones)
	return t
}

// rejectedText is how many ads were rejected, and why: "3: 2 out_of_range, 1 duplicate".
func rejectedText(v *apiv1.Version) string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(v.RejectedByReason)) {
		reasons = append(reasons, fmt.Sprintf("%d %s", v.RejectedByReason[reason], reason))
	}
	if len(reasons) == 0 {
		return fmt.Sprint(v.Rejected)
	}
	return fmt.Sprintf("%d: %s", v.Rejected, strings.Join(reasons, ", "))
}
