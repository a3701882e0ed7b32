package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/program"
)

// defaultHistory is how many revisions are listed where nobody says.
const defaultHistory = 20

func historyCommand(r remote) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history [REVISION]",
		Short: "List the operators' changes, or what one of them changed.",
		Long: "List the operators' changes, the newest first, or what one of them changed: a + is a campaign that it added, a - one\n" +
			"that it removed, a ~ one that it changed. With -o json each page is one JSON value.",
		Example: "  adsidecar history\n  adsidecar history 41",
	}
	cmd.Flags().IntVar(&limit, "limit", defaultHistory, "How many at most; 0: all. Of one revision: all, unless it is given.")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return word("the number of a revision")(cmd, args)
	}
	return r.command(cmd, func(ctx context.Context, s *session, args []string) error {
		if limit < 0 {
			return program.Misused(errors.New("--limit: must not be negative"))
		}
		if len(args) == 0 {
			return s.history(ctx, limit)
		}
		number, err := revisionNumber(args[0])
		if err != nil {
			return err
		}
		if !cmd.Flags().Changed("limit") {
			limit = 0
		}
		return s.revision(ctx, number, limit)
	})
}

func revisionNumber(text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number == 0 {
		return 0, program.Misused(fmt.Errorf("%q is not the number of a revision", text))
	}
	return number, nil
}

func (s *session) history(ctx context.Context, limit int) error {
	t, shown := newTable("REVISION", "TIME", "WHO", "KIND", "CHANGES", "COMMENT"), 0
	for page, err := range s.Revisions(ctx, limit) {
		if err != nil {
			return err
		}
		if s.json {
			if err := printJSON(s.out, page.JSON); err != nil {
				return err
			}
			continue
		}
		for _, v := range page.Value.Items {
			t.row(v.Number, moment(v.At), v.Who, kindText(&v), v.Changes, v.Comment)
			shown++
		}
	}
	switch {
	case s.json:
		return nil
	case shown == 0:
		return say(s.out, "No operator has changed anything.")
	}
	return t.print(s.out)
}

func kindText(v *apiv1.Revision) string {
	if v.Reverts > 0 {
		return fmt.Sprintf("%s of %d", v.Kind, v.Reverts)
	}
	return v.Kind
}

func (s *session) revision(ctx context.Context, number uint64, limit int) error {
	first := true
	for page, err := range s.Revision(ctx, number, limit) {
		if err != nil {
			return err
		}
		if s.json {
			if err := printJSON(s.out, page.JSON); err != nil {
				return err
			}
			continue
		}
		if v := page.Value.Revision; first {
			if err := say(s.out, "Revision %d, %s, by %s, %s: %s", v.Number, moment(v.At), v.Who, kindText(&v), count(v.Changes, "campaign")); err != nil {
				return err
			}
			if v.Comment != "" {
				if err := say(s.out, "%s", v.Comment); err != nil {
					return err
				}
			}
			first = false
		}
		for _, c := range page.Value.Items {
			if err := printChange(s.out, c.ID, c.Before, c.After); err != nil {
				return err
			}
		}
	}
	return nil
}

func revertCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:     "revert REVISION",
		Short:   "Undo one change of the operators, by a new one.",
		Long:    "Undo one change of the operators, by a new one. What was changed since then stays. To take everything back at once, see rollback.",
		Example: "  adsidecar revert 41 --comment \"wrong country\"",
		Args:    word("the number of a revision"),
	}, func(ctx context.Context, s *session, args []string) error {
		number, err := revisionNumber(args[0])
		if err != nil {
			return err
		}
		a, err := s.Revert(ctx, number, s.comment)
		if err != nil {
			return err
		}
		return s.saved("revision "+args[0], "reverted", 0, a)
	})
}

func versionsCommand(r remote) *cobra.Command {
	return r.command(&cobra.Command{
		Use:     "versions",
		Short:   "List the published versions.",
		Long:    "List the published versions, the newest first. Those that are kept can be rolled back to.",
		Example: "  adsidecar versions",
		Args:    program.NoArguments,
	}, func(ctx context.Context, s *session, _ []string) error {
		a, err := s.Versions(ctx)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		if len(a.Value.Items) == 0 {
			return say(s.out, "Nothing was published yet.")
		}
		t := newTable("VERSION", "PUBLISHED", "NOW", "KEPT", "REVISION", "ADS", "REJECTED", "KEYS", "BYTES", "DOCUMENT")
		for i := range a.Value.Items {
			v := &a.Value.Items[i]
			now := yes(v.Published)
			if v.Pinned {
				now = "pinned"
			}
			t.row(v.Version, moment(v.PublishedAt), now, yes(v.Kept), v.Revision, v.Ads, v.Rejected, v.Keys, v.Bytes, short(v.Document))
		}
		return t.print(s.out)
	})
}

// short is the beginning of a hash.
func short(hash string) string {
	const shown = 12
	return hash[:min(len(hash), shown)]
}

func rollbackCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:   "rollback VERSION",
		Short: "Publish an earlier version, and keep to it.",
		Long: "Publish an earlier version, and pin it: the source is polled and changes are saved, but nothing newer is published until\n" +
			"\"adsidecar resume\".",
		Example: "  adsidecar versions\n  adsidecar rollback 1f0c93d2a5b6 --comment \"no ads in France\"",
		Args:    word("a version"),
	}, func(ctx context.Context, s *session, args []string) error {
		a, err := s.Rollback(ctx, args[0], s.comment)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		if err := say(s.out, "Version %s is published and pinned by %s.", a.Value.Version, a.Value.Who); err != nil {
			return err
		}
		return say(s.out, `Nothing newer is published until "adsidecar resume".`)
	})
}

func resumeCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:     "resume",
		Short:   "End a rollback: publish what is newest again.",
		Example: "  adsidecar resume",
		Args:    program.NoArguments,
	}, func(ctx context.Context, s *session, _ []string) error {
		a, err := s.Resume(ctx, s.comment)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		return say(s.out, "The pin is off: what is newest is published.")
	})
}
