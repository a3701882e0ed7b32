package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/program"
)

// defaultHistory is how many revisions or actions are listed where nobody says.
const defaultHistory = 20

func historyCommand(r remote) *cobra.Command {
	var limit int
	var actions bool
	cmd := &cobra.Command{
		Use:   "history [REVISION [REVISION]]",
		Short: "List the operators' changes, what one or several of them changed, or who rolled back.",
		Long: "List the operators' changes, the newest first, or what one of them changed, or all after one up to another: a + is a\n" +
			"campaign that was added, a - one that was removed, a ~ one that was changed. 0 is before all of them.\n" +
			"With --actions list what they did about the published version instead: rollbacks and resumes, and what they confirmed or\n" +
			"refused of what a guard held. With -o json each page is one JSON value.",
		Example: "  adsidecar history\n  adsidecar history 41\n  adsidecar history 38 41\n  adsidecar history --actions",
	}
	cmd.Flags().BoolVar(&actions, "actions", false, "List rollbacks, resumes, and decisions on held versions instead of changes.")
	cmd.Flags().IntVar(&limit, "limit", defaultHistory, "How many at most; 0: all. Of revisions that are named: all, unless it is given.")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if actions && len(args) > 0 {
			return program.Misused(fmt.Errorf("--actions: takes no revision, got %q", args))
		}
		if len(args) > 2 {
			return program.Misused(fmt.Errorf("history takes the numbers of at most two revisions, got %q\n\n%s", args, cmd.UsageString()))
		}
		return notEmpty(cmd, args)
	}
	return r.command(cmd, func(ctx context.Context, s *session, args []string) error {
		if limit < 0 {
			return program.Misused(errors.New("--limit: must not be negative"))
		}
		if actions {
			return s.actions(ctx, limit)
		}
		if len(args) == 0 {
			return s.history(ctx, limit)
		}
		if !cmd.Flags().Changed("limit") {
			limit = 0
		}
		if len(args) == 2 {
			return s.revisionsDiff(ctx, args[0], args[1], limit)
		}
		number, err := revisionNumber(args[0])
		if err != nil {
			return err
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
	err := eachPage(s, s.Revisions(ctx, limit), func(page apiv1.Page[apiv1.Revision]) error {
		for _, v := range page.Items {
			t.row(v.Number, moment(v.At), v.Who, kindText(&v), changesText(&v), v.Comment)
			shown++
		}
		return nil
	})
	switch {
	case err != nil || s.json:
		return err
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

// changesText names the first campaigns of a revision, if it says them.
func changesText(v *apiv1.Revision) string {
	if len(v.FirstIDs) == 0 {
		return count(v.Changes, "campaign")
	}
	text := strings.Join(v.FirstIDs, ", ")
	if more := v.Changes - len(v.FirstIDs); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (s *session) actions(ctx context.Context, limit int) error {
	t, shown := newTable("TIME", "WHO", "KIND", "VERSION", "IN PLACE OF", "COMMENT"), 0
	err := eachPage(s, s.Actions(ctx, limit), func(page apiv1.Page[apiv1.Action]) error {
		for _, a := range page.Items {
			t.row(moment(a.At), a.Who, a.Kind, short(a.Version), short(a.Base), a.Comment)
			shown++
		}
		return nil
	})
	switch {
	case err != nil || s.json:
		return err
	case shown == 0:
		return say(s.out, "No rollback, resume, or decision on a held version is known.")
	}
	return t.print(s.out)
}

func (s *session) revision(ctx context.Context, number uint64, limit int) error {
	first := true
	return eachPage(s, s.Revision(ctx, number, limit), func(page apiv1.RevisionChanges) error {
		if v := page.Revision; first {
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
		return s.printChanges(page.Items)
	})
}

func (s *session) printChanges(changes []apiv1.RevisionChange) error {
	for _, c := range changes {
		if err := printChange(s.out, c.ID, c.Before, c.After); err != nil {
			return err
		}
	}
	return nil
}

// revisionsDiff prints what the revisions after one, 0 being before all, up to another changed in all.
func (s *session) revisionsDiff(ctx context.Context, older, newer string, limit int) error {
	from, err := strconv.ParseUint(older, 10, 64)
	if err != nil {
		return program.Misused(fmt.Errorf("%q is not the number of a revision, nor 0", older))
	}
	to, err := revisionNumber(newer)
	if err != nil {
		return err
	}
	if from >= to {
		return program.Misused(fmt.Errorf("revision %d is not after %d: name the older one first", to, from))
	}
	shown, total := 0, 0
	err = eachPage(s, s.RevisionsDiff(ctx, from, to, limit), func(page apiv1.RevisionsDiff) error {
		shown, total = shown+len(page.Items), page.Total
		return s.printChanges(page.Items)
	})
	switch {
	case err != nil || s.json:
		return err
	case total > shown:
		return say(s.out, "%d of %s", shown, count(total, "campaign"))
	default:
		return say(s.out, "After revision %d up to %d: %s changed.", from, to, count(shown, "campaign"))
	}
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
		Use:   "versions [VERSION]",
		Short: "List the published versions, or show one.",
		Long: "List the published versions, the newest first, or show what one tells of itself: the ads that were rejected, and cycles\n" +
			"that were cut, whose weights ask for more turns than a cycle may have. Each version can be rolled back to. Commands take\n" +
			"a version's beginning too, of 6 characters or more.",
		Example: "  adsidecar versions\n  adsidecar versions 1f0c93d2a5b6",
		Args:    atMostAVersion,
	}, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 1 {
			return s.version(ctx, args[0])
		}
		a, err := s.Versions(ctx)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		if len(a.Value.Items) == 0 {
			return say(s.out, "Nothing was published yet.")
		}
		t := newTable("VERSION", "PUBLISHED", "NOW", "REVISION", "ADS", "REJECTED", "CUT", "KEYS", "BYTES", "DOCUMENT")
		for i := range a.Value.Items {
			v := &a.Value.Items[i]
			t.row(short(v.Version), moment(v.PublishedAt), nowText(v), v.Revision, v.Ads, v.Rejected, v.CutCycles, v.Keys, v.Bytes, short(v.Document))
		}
		return t.print(s.out)
	})
}

// nowText is what is so of a version now. A pin may not be in force, or not yet.
func nowText(v *apiv1.Version) string {
	switch {
	case v.Pinned && v.Published:
		return "pinned"
	case v.Pinned:
		return "pinned, not published"
	}
	return yes(v.Published)
}

func rollbackCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:   "rollback VERSION",
		Short: "Publish an earlier version, and keep to it.",
		Long: "Publish an earlier version, and pin it: the source is polled and changes are saved, but nothing newer is published until\n" +
			"\"adsidecar resume\"." + awaitHelp,
		Example:     "  adsidecar versions\n  adsidecar rollback 1f0c93d2a5b6 --comment \"no ads in France\"",
		Args:        word("a version"),
		Annotations: map[string]string{commentHelp: "Why: it is kept with the rollback."},
	}, func(ctx context.Context, s *session, args []string) error {
		version, err := s.versions(ctx, args[0])
		if err != nil {
			return err
		}
		a, err := s.Rollback(ctx, version[0], s.comment)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		if err := say(s.out, `Version %s is pinned by %s: nothing newer is published until "adsidecar resume".`, short(a.Value.Version), a.Value.Who); err != nil {
			return err
		}
		return s.awaitPublished(ctx, a.Value.Version)
	})
}

func resumeCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:         "resume",
		Short:       "End a rollback: publish what is newest again.",
		Example:     "  adsidecar resume",
		Args:        program.NoArguments,
		Annotations: map[string]string{commentHelp: "Why: it is kept with the resume."},
	}, func(ctx context.Context, s *session, _ []string) error {
		s.told = true // as after a decision on what is held: see decideCommand
		a, err := s.Resume(ctx, s.comment)
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		return say(s.out, "The pin is off: the newest version is published in a moment, unless a guard holds it.")
	})
}
