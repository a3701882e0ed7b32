package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/internal/program"
)

func campaignsCommand(r remote) *cobra.Command {
	return group(&cobra.Command{
		Use:   "campaigns",
		Short: "See and change campaigns.",
		Example: "  adsidecar campaigns list --country us --state running\n" +
			"  adsidecar campaigns apply -f spring.json --comment \"spring sale\"",
	}, listCommand(r), getCommand(r), applyCommand(r), deleteCommand(r), pauseCommand(r, true), pauseCommand(r, false), exportCommand(r))
}

func listCommand(r remote) *cobra.Command {
	var f client.CampaignFilter
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List campaigns.",
		Long:  "List campaigns, of the source and of operators. With -o json each page is one JSON value.",
		Example: "  adsidecar campaigns list --state paused\n" +
			"  adsidecar campaigns list --lang fr -o json | jq -r '.items[].id'",
		Args: program.NoArguments,
	}
	cmd.Flags().StringVar(&f.Country, "country", "", "Of this country; * is that of campaigns for all.")
	cmd.Flags().StringVar(&f.Lang, "lang", "", "Of this language; * is that of campaigns for all.")
	cmd.Flags().StringVar(&f.State, "state", "", "running, scheduled, paused, ended or shadowed.")
	cmd.Flags().StringVar(&f.Origin, "origin", "", "source or operator.")
	cmd.Flags().StringVarP(&f.Text, "text", "q", "", "With this text in ID, name, labels or URL.")
	cmd.Flags().IntVar(&limit, "limit", 0, "How many at most (default: all).")
	return r.command(cmd, func(ctx context.Context, s *session, _ []string) error {
		if limit < 0 {
			return program.Misused(errors.New("--limit: must not be negative"))
		}
		t, total, shown := newTable("ID", "STATE", "ORIGIN", "COUNTRY", "LANG", "HOURS", "PRIORITY", "WEIGHT", "NEXT", "NAME"), 0, 0
		err := eachPage(s, s.Campaigns(ctx, f, limit), func(page apiv1.Page[apiv1.Campaign]) error {
			total, shown = page.Total, shown+len(page.Items)
			for i := range page.Items {
				c := &page.Items[i]
				d := readCampaign(c.Campaign)
				t.row(c.ID, c.State, originText(c), d.Country, d.Lang, d.hours(), d.Priority, d.weight(), nextText(c), d.Name)
			}
			return nil
		})
		switch {
		case err != nil || s.json:
			return err
		case shown == 0:
			return say(s.out, "No campaigns.")
		}
		if err := t.print(s.out); err != nil {
			return err
		}
		if total > shown {
			return say(s.out, "%d of %d", shown, total)
		}
		return nil
	})
}

func getCommand(r remote) *cobra.Command {
	return r.command(&cobra.Command{
		Use:   "get ID",
		Short: "Show a campaign and what becomes of it.",
		Long: "Show a campaign and what becomes of it. What -o json prints can be edited and applied: the change is refused if\n" +
			"somebody else changed the campaign meanwhile.",
		Example: "  adsidecar campaigns get spring-sale\n" +
			"  adsidecar campaigns get spring-sale -o json > spring.json",
		Args: word("the ID of a campaign"),
	}, func(ctx context.Context, s *session, args []string) error {
		a, err := s.Campaign(ctx, args[0])
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		c := &a.Value
		t := newTable("ID", cell(c.ID))
		t.row("STATE", c.State)
		t.row("ORIGIN", originText(c))
		t.row("NEXT", nextText(c))
		if c.Revision > 0 {
			t.row("REVISION", c.Revision)
		}
		t.row("ETAG", c.ETag)
		if err := t.print(s.out); err != nil {
			return err
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, c.Campaign, "", "  "); err != nil {
			return &client.FormatError{Err: fmt.Errorf("campaign: %w", err)}
		}
		return printJSON(s.out, indented.Bytes())
	})
}

func deleteCommand(r remote) *cobra.Command {
	return r.change(&cobra.Command{
		Use:   "delete ID…",
		Short: "Delete operators' campaigns.",
		Long: "Delete operators' campaigns. Where one replaced a campaign of the source, the source's is back. A campaign of the source\n" +
			"cannot be deleted, but paused.",
		Example: "  adsidecar campaigns delete spring-sale --comment \"is over\"",
		Args:    ids,
	}, func(ctx context.Context, s *session, args []string) error {
		return s.each(ctx, args, "deleted", func(id, etag string) (client.Answer[apiv1.Saved], error) {
			return s.DeleteCampaign(ctx, id, etag, s.comment)
		})
	})
}

func pauseCommand(r remote, pause bool) *cobra.Command {
	patch, done := json.RawMessage(`{"enabled":true}`), "unpaused"
	cmd := &cobra.Command{
		Use:     "unpause ID…",
		Short:   "Serve paused campaigns again.",
		Example: "  adsidecar campaigns unpause spring-sale",
		Args:    ids,
	}
	if pause {
		patch, done = json.RawMessage(`{"enabled":false}`), "paused"
		cmd.Use, cmd.Short = "pause ID…", "Do not serve campaigns for now."
		cmd.Long = cmd.Short + " One of the source's follows the source otherwise."
		cmd.Example = "  adsidecar campaigns pause spring-sale --comment \"video is broken\""
	}
	return r.change(cmd, func(ctx context.Context, s *session, args []string) error {
		return s.each(ctx, args, done, func(id, etag string) (client.Answer[apiv1.Saved], error) {
			return s.PatchCampaign(ctx, id, patch, etag, s.comment)
		})
	})
}

// each changes campaigns one by one as they are now, and goes on after one that fails.
func (s *session) each(ctx context.Context, ids []string, done string, do func(id, etag string) (client.Answer[apiv1.Saved], error)) error {
	var errs error
	for _, id := range ids {
		now, err := s.Campaign(ctx, id)
		if err == nil {
			var a client.Answer[apiv1.Saved]
			if a, err = do(id, now.Value.ETag); err == nil {
				err = s.saved(id, done, now.Value.Revision, a)
			}
		}
		if err != nil {
			errs = errors.Join(errs, failure(err))
		}
	}
	return errs
}

// saved says what was done. A change that asked for what is there already has left the revision that was there before.
func (s *session) saved(id, done string, before uint64, a client.Answer[apiv1.Saved]) error {
	s.stored = s.stored || a.Value.Revision != before
	if s.json {
		return printJSON(s.out, a.JSON)
	}
	if a.Value.Revision == before {
		return say(s.out, "%s: unchanged", id)
	}
	text := fmt.Sprintf("%s: %s, as revision %d", id, done, a.Value.Revision)
	if a.Value.Note != "" {
		text += ". " + a.Value.Note
	}
	return say(s.out, "%s", text)
}

func exportCommand(r remote) *cobra.Command {
	var origin string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the document that is in force.",
		Long: "Write the document that is in force, {\"ads\":[…]}, as JSON. It can be applied here or elsewhere. --origin\n" +
			"leaves out what is not of the source, or not of operators. After an error the output is not whole: the exit code says so.",
		Example: "  adsidecar campaigns export > campaigns.json\n" +
			"  adsidecar campaigns export --origin operator > ours.json",
		Args: program.NoArguments,
	}
	cmd.Flags().StringVar(&origin, "origin", "", "source or operator: the campaigns of the one alone (default: both).")
	mark(cmd, raw)
	return r.command(cmd, func(ctx context.Context, s *session, _ []string) error {
		_, err := s.Export(ctx, origin, s.out)
		return err
	})
}

// shownCampaign is what a table has of a campaign's own fields.
type shownCampaign struct {
	Name      string
	Country   string
	Lang      string
	StartHour int `json:"start_hour"`
	EndHour   int `json:"end_hour"`
	Priority  int
	Weight    *int
	Days      []string
	TimeZone  string `json:"time_zone"`
}

// readCampaign leaves out what it cannot read: it is for show.
func readCampaign(text json.RawMessage) shownCampaign {
	var c shownCampaign
	_ = json.Unmarshal(text, &c) // as above
	return c
}

func (c shownCampaign) weight() int {
	if c.Weight == nil {
		return 1
	}
	return *c.Weight
}

func (c shownCampaign) hours() string {
	const dayHours = 24
	text := "all day"
	if c.StartHour != c.EndHour%dayHours {
		text = fmt.Sprintf("%02d-%02d", c.StartHour, c.EndHour)
	}
	if len(c.Days) > 0 {
		text += " " + strings.Join(c.Days, ",")
	}
	if c.TimeZone != "" {
		text += " " + c.TimeZone
	}
	return text
}

func originText(c *apiv1.Campaign) string {
	switch {
	case c.Overrides:
		return c.Origin + ", over the source's"
	case c.PausedByOperator:
		return c.Origin + ", paused here"
	}
	return c.Origin
}

func nextText(c *apiv1.Campaign) string {
	if c.EligibleNow {
		return "now"
	}
	return minute(c.NextEligible)
}
