package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/client"
	"adsidecar/internal/program"
)

func applyCommand(r remote) *cobra.Command {
	var file string
	var dryRun bool
	var base uint64
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or replace campaigns.",
		Long: "Create or replace campaigns. The file has one campaign, or a document {\"ads\":[…]}, which is taken as a whole or not at\n" +
			"all; campaigns that it does not name stay as they are. One campaign as \"campaigns get -o json\" printed it is refused if\n" +
			"somebody changed it meanwhile.",
		Example: "  adsidecar campaigns apply -f spring.json --dry-run\n" +
			"  adsidecar campaigns apply -f spring.json --if-revision 41 --comment \"spring sale\"\n" +
			"  generate | adsidecar campaigns apply -f -",
		Args: program.NoArguments,
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "Change nothing, and print what would change.")
	cmd.Flags().Uint64Var(&base, "if-revision", 0, "Only if nobody has changed these campaigns since this revision, which --dry-run prints.")
	fileFlag(cmd, &file)
	mark(cmd, verbose)
	return r.change(cmd, func(ctx context.Context, s *session, _ []string) error {
		o := client.ImportOptions{DryRun: dryRun, Comment: s.comment}
		if cmd.Flags().Changed("if-revision") {
			o.Base = &base
		}
		if o.DryRun && o.Base != nil {
			return program.Misused(errors.New("--if-revision: a dry run changes nothing, and says against which revision it was made"))
		}
		return s.withInput(file, func(in *input) error {
			switch {
			case in.one == nil || dryRun || o.Base != nil && in.one.etag == "":
				return s.load(ctx, in, o)
			case o.Base != nil:
				return program.Misused(errors.New("--if-revision: this campaign names what it was made from: it has an etag"))
			}
			return s.applyOne(ctx, in.one)
		})
	})
}

func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", "A campaign or a document of campaigns; - is stdin.")
}

// input is what a change is read from: one campaign, or a document that is read as it is sent.
type input struct {
	one      *oneCampaign
	document io.Reader
	size     int64 // 0: unknown
}

// oneCampaign is a campaign alone, or as "campaigns get" prints it.
type oneCampaign struct {
	id       string
	etag     string // empty: it may replace whatever is there
	revision uint64 // that the etag is of
	campaign json.RawMessage
}

// maxOne is the size from which on an input is a document: what "campaigns get" prints has a campaign, and that which it replaces.
const maxOne = 4 * campaign.MaxOneBytes

// withInput opens file, - being stdin, for use.
func (s *session) withInput(file string, use func(*input) error) error {
	if file == "" {
		return program.Misused(errors.New("--file is missing: name a file, or - for stdin"))
	}
	from, size := s.in, int64(0)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		from = f
	}
	in, err := readInput(from, size)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return use(in)
}

func readInput(from io.Reader, size int64) (*input, error) {
	head, err := io.ReadAll(io.LimitReader(from, maxOne+1))
	if err != nil {
		return nil, err
	}
	in := &input{document: io.MultiReader(bytes.NewReader(head), from), size: size}
	if len(head) > maxOne {
		return in, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(head, &object); err != nil {
		return nil, fmt.Errorf("neither a campaign nor a document of campaigns: %w", err)
	}
	if _, ok := object["ads"]; ok {
		return in, nil
	}
	one := &oneCampaign{campaign: head}
	if text, ok := object["campaign"]; ok {
		one.campaign = text
		if err := json.Unmarshal(object["etag"], &one.etag); err != nil || one.etag == "" {
			return nil, errors.New(`has "campaign" but no "etag": it is not as "campaigns get -o json" prints it`)
		}
		_ = json.Unmarshal(object["revision"], &one.revision) // absent: none
		object = nil
		if err := json.Unmarshal(text, &object); err != nil {
			return nil, fmt.Errorf("campaign: %w", err)
		}
	}
	if err := json.Unmarshal(object["id"], &one.id); err != nil || one.id == "" {
		return nil, errors.New(`neither a campaign, which has an "id", nor a document, which has "ads"`)
	}
	in.one = one
	in.document = io.MultiReader(bytes.NewReader([]byte(`{"ads":[`)), bytes.NewReader(one.campaign), bytes.NewReader([]byte(`]}`)))
	return in, nil
}

// applyOne replaces what is there as it is now, unless the campaign says what it was made from.
func (s *session) applyOne(ctx context.Context, one *oneCampaign) error {
	etag, before, done := one.etag, one.revision, "replaced"
	if etag == "" {
		now, err := s.Campaign(ctx, one.id)
		var refused *client.Error
		switch {
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
			done = "created"
		case err != nil:
			return err
		}
		etag, before = now.Value.ETag, now.Value.Revision
	}
	a, err := s.PutCampaign(ctx, one.id, one.campaign, etag, s.comment)
	if err != nil {
		return err
	}
	return s.saved(one.id, done, before, a)
}

// load imports a document, or says what would come of it.
func (s *session) load(ctx context.Context, in *input, o client.ImportOptions) error {
	p := newProgress(s.err, s.verbose, in.size, time.Now)
	o.Progress = p.hear()
	a, err := s.Import(ctx, in.document, o)
	p.end()
	if err != nil {
		return err
	}
	s.stored = a.Value.Revision != 0
	if s.json {
		return printJSON(s.out, a.JSON)
	}
	if o.DryRun {
		err = printDiff(s.out, &a.Value.Diff)
	} else {
		err = printSums(s.out, &a.Value.Diff) // of what is done, a thousand lines would say no more
	}
	if err != nil {
		return err
	}
	if note := a.Value.Note; note != "" {
		if err := say(s.out, "%s", note); err != nil {
			return err
		}
	}
	switch i := a.Value; {
	case o.DryRun:
		return say(s.out, `Nothing was changed: this was a dry run against revision %d. With --if-revision %d it is applied only if nobody changes these campaigns before.`,
			i.Base, i.Base)
	case i.Revision == 0:
		return say(s.out, "Nothing was changed: all of it is there already.")
	default:
		return say(s.out, "Saved as revision %d.", i.Revision)
	}
}

func diffCommand(r remote) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "diff -f FILE | diff VERSION VERSION",
		Short: "Say what a change would do, or what differs between two published versions.",
		Long: "Say what applying a file would do to the ads that are served, or what differs between two versions: published\n" +
			"ones, and the one that a guard holds; 6 characters of a version or more are enough.\nA + is an ad that is added, a - one that is removed, a ~ one that is changed.",
		Example: "  adsidecar diff -f spring.json\n" +
			"  adsidecar diff 1f0c93d2a5b6 77d0e1c4f928",
	}
	fileFlag(cmd, &file)
	mark(cmd, verbose)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if file != "" && len(args) == 0 || file == "" && len(args) == 2 {
			return notEmpty(cmd, args)
		}
		return program.Misused(fmt.Errorf("diff takes -f FILE, or two versions\n\n%s", cmd.UsageString()))
	}
	return r.command(cmd, func(ctx context.Context, s *session, args []string) error {
		if file != "" {
			return s.withInput(file, func(in *input) error { return s.load(ctx, in, client.ImportOptions{DryRun: true}) })
		}
		versions, err := s.versions(ctx, args...)
		if err != nil {
			return err
		}
		a, err := s.DiffVersions(ctx, versions[0], versions[1])
		if err != nil || s.json {
			return errors.Join(err, printJSON(s.out, a.JSON))
		}
		return printDiff(s.out, &a.Value)
	})
}

// printDiff prints ad by ad what changes, and the sums.
func printDiff(w io.Writer, d *apiv1.Diff) error {
	for _, ad := range d.Ads {
		if err := printChange(w, ad.ID, ad.Before, ad.After); err != nil {
			return err
		}
	}
	if more := d.Added + d.Changed + d.Removed - len(d.Ads); more > 0 {
		if err := say(w, "and %s more", count(more, "ad")); err != nil {
			return err
		}
	}
	return printSums(w, d)
}

func printSums(w io.Writer, d *apiv1.Diff) error {
	later := ""
	if d.KeysLater > 0 {
		later = fmt.Sprintf(", and up to %d more after the next two weeks", d.KeysLater)
	}
	return say(w, "Ads: %d added, %d changed, %d removed. Keys affected: %d%s. Index: %d bytes, was %d.",
		d.Added, d.Changed, d.Removed, d.Keys, later, d.BytesAfter, d.BytesBefore)
}
