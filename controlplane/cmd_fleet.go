package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/program"
)

func fleetCommand(r remote) *cobra.Command {
	return r.command(&cobra.Command{
		Use:   "fleet",
		Short: "Show every Envoy, what it serves and whether that is what is published.",
		Long: "Show every Envoy, what it serves and whether that is what is published, and what keeps anything newer back. ADS/S and NO-AD/S are requests per second that\n" +
			"got an ad, and that there was none for.",
		Example: "  adsidecar fleet\n  adsidecar fleet -o json | jq '.behind'",
		Args:    program.NoArguments,
	}, func(ctx context.Context, s *session, _ []string) error {
		a, err := s.Fleet(ctx)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		f := &a.Value
		s.told = true
		if err := say(s.out, "Index %s: %d in sync, %d behind, %d gone.", orDash(short(f.Version)), f.InSync, f.Behind, f.Gone); err != nil {
			return err
		}
		if err := sayAll(s.out, notices(ctx, s.Client)); err != nil || len(f.Envoys) == 0 {
			return err
		}
		t := newTable("NODE", "ADDRESS", "TYPE", "VERSION", "STATE", "SINCE", "LAST ACK", "ADS/S", "NO-AD/S")
		for i := range f.Envoys {
			envoyRows(t, &f.Envoys[i])
		}
		if err := t.print(s.out); err != nil {
			return err
		}
		for i := range f.Envoys {
			for _, of := range f.Envoys[i].Types {
				if of.NackText == "" {
					continue
				}
				if err := say(s.out, "%s rejected %s at %s: %s", f.Envoys[i].Node, of.Type, moment(of.LastNack), of.NackText); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// envoyRows has a row for each type, the first of them with what is the Envoy's own.
func envoyRows(t *table, e *apiv1.Envoy) {
	node, address, served, noAd := e.Node, e.Address, "", ""
	if e.Rates != nil {
		served, noAd = fmt.Sprintf("%.1f", e.Rates.Served), fmt.Sprintf("%.1f", e.Rates.NoAd)
	}
	if !e.Connected {
		t.row(node, address, "", "", "gone", moment(e.Since), "", served, noAd)
		return
	}
	if len(e.Types) == 0 {
		t.row(node, address, "", "", "connected", moment(e.Since), "", served, noAd)
	}
	for i := range e.Types {
		of := &e.Types[i]
		t.row(node, address, of.Type, short(of.Version), syncText(of), moment(of.Since), age(of.LastAckAge), served, noAd)
		served, noAd = "", ""
	}
}

func syncText(of *apiv1.OfType) string {
	switch {
	case of.Rejecting:
		return "rejecting"
	case of.InSync:
		return "in sync"
	}
	return "behind"
}

func age(seconds *float64) string {
	if seconds == nil {
		return ""
	}
	const longest = 1e9 // as a Duration has an end
	d := time.Duration(min(max(*seconds, 0), longest) * float64(time.Second))
	return d.Truncate(time.Second).String() + " ago"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
