package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/internal/program"
)

func heldCommand(r remote) *cobra.Command {
	cmd := r.command(&cobra.Command{
		Use:     "held",
		Short:   "Show what a guard keeps back, and confirm or refuse it.",
		Example: "  adsidecar held\n  adsidecar held confirm 77d0e1c4f928 --comment \"the winter campaigns are over\"",
		Args:    program.NoArguments,
	}, func(ctx context.Context, s *session, _ []string) error {
		s.told = true
		a, err := s.Held(ctx)
		var refused *client.Error
		switch {
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound && refused.Code == "nothing_held" && !s.json:
			return say(s.out, "Nothing is held.")
		case err != nil || s.json:
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		h := a.Value
		if err := heldTable(h).print(s.out); err != nil {
			return err
		}
		if h.Message != "" {
			return say(s.out, "%s", h.Message)
		}
		return nil
	})
	cmd.AddCommand(
		decideCommand(r, "confirm", "Publish the version that is held.", "is confirmed", (*client.Client).ConfirmHeld, (*session).awaitPublished),
		decideCommand(r, "refuse", "Do not publish the version that is held; a newer one is judged anew.", "is refused", (*client.Client).RefuseHeld, nil))
	return cmd
}

func heldTable(h apiv1.Held) *table {
	const percent = 100
	t := newTable("VERSION", cell(short(h.Version)))
	if h.Base != "" {
		t.row("IN PLACE OF", short(h.Base)+`; "adsidecar diff `+short(h.Base)+" "+short(h.Version)+`" compares them`)
	}
	t.row("SINCE", moment(h.Since))
	t.row("REASON", h.Reason)
	if h.Served > 0 {
		t.row("REMOVES", fmt.Sprintf("%d of %d ads, %.1f %%; %.1f %% may be", h.Removed, h.Served, percent*h.Share, percent*h.Limit))
	}
	t.row("REFUSED", yes(h.Refused))
	if h.RefusedBy != "" {
		t.row("REFUSED BY", h.RefusedBy)
		t.row("REFUSED AT", moment(h.DecidedAt))
		t.row("COMMENT", h.Comment)
	}
	return t
}

func decideCommand(
	r remote, name, help, done string, decide func(c *client.Client, ctx context.Context, version, comment string) (client.Answer[client.None], error),
	then func(s *session, ctx context.Context, version string) error, // nil: nothing
) *cobra.Command {
	long := help + " It is named, so that it is the one that you have seen."
	if then != nil {
		long += awaitHelp
	}
	return r.change(&cobra.Command{
		Use:         name + " VERSION",
		Short:       help,
		Long:        long,
		Example:     "  adsidecar held " + name + " 77d0e1c4f928",
		Args:        word("the version that is held"),
		Annotations: map[string]string{commentHelp: "Why: it is kept with the decision."},
	}, func(ctx context.Context, s *session, args []string) error {
		s.told = true // the decision is followed in a moment: what is so now is from before it
		version, err := s.held(ctx, args[0])
		if err != nil {
			return err
		}
		a, err := decide(s.Client, ctx, version, s.comment)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		if err := say(s.out, "Version %s %s.", args[0], done); err != nil || then == nil {
			return err
		}
		return then(s, ctx, version)
	})
}

func pollCommand(r remote) *cobra.Command {
	return r.command(&cobra.Command{
		Use:     "poll",
		Short:   "Poll the campaign source now.",
		Long:    "Poll the campaign source now. The control plane does it after it has answered.",
		Example: "  adsidecar poll",
		Args:    program.NoArguments,
	}, func(ctx context.Context, s *session, _ []string) error {
		a, err := s.Poll(ctx)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		return say(s.out, "The source is polled now.")
	})
}
