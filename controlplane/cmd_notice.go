package main

import (
	"context"
	"fmt"
	"io"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

// tell ends a command with what keeps campaigns from being published, and, if it has changed some, that these changes are not either. It
// says that to people, on stderr, whatever the output is; that it cannot find out is no failure of the command.
func (s *session) tell(ctx context.Context) {
	if s.told || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	a, err := s.Summary(ctx)
	if err != nil {
		if s.stored { // of a list there may be nothing to say
			_ = say(s.err, "Whether the change is published is not known: %s", err)
		}
		return
	}
	now := a.Value
	if s.stored {
		now.RevisionError = "" // it may be that of a revision which the change mends; the answer to the change says it of the change
		switch {
		case now.Pin != nil:
			_ = say(s.err, "The change is stored, but not published while a version is pinned.")
		case now.Held != nil: // which may be from before the change
			_ = say(s.err, "The change is stored, but a guard may keep it from being published.")
		}
	}
	_ = sayAll(s.err, noticesOf(&now)) // the command has done what it is for
}

// notices say what keeps the newest campaigns from being published: the pin, what a guard holds, and a revision that cannot be compiled.
func notices(ctx context.Context, c *client.Client) []string {
	a, err := c.Summary(ctx)
	if err != nil {
		return []string{"What keeps it from being published is not known: " + err.Error()}
	}
	return noticesOf(&a.Value)
}

func noticesOf(s *apiv1.Summary) []string {
	var all []string
	if s.Pin != nil {
		all = append(all, pinNotice(s))
	}
	if s.Held != nil {
		all = append(all, heldNotice(*s.Held))
	}
	if s.OperatorsError != "" {
		all = append(all, storeNotice(s))
	}
	if s.UnreadableRows > 0 {
		all = append(all, fmt.Sprintf("Unreadable: %d of the operators' campaigns cannot be read; neither they nor the source's campaigns of their IDs are served. "+
			"The log has the first of them.", s.UnreadableRows))
	}
	if s.Stuck() {
		all = append(all, fmt.Sprintf(`Not compiled: revision %d; %d is the last that is. %s. "adsidecar revert %d" undoes it.`,
			s.Revision, s.CompiledRevision, s.RevisionError, s.Revision))
	}
	return all
}

func sayAll(w io.Writer, texts []string) error {
	for _, text := range texts {
		if err := say(w, "%s", text); err != nil {
			return err
		}
	}
	return nil
}

// pinNotice tells of a pin, and whether it is in force.
func pinNotice(s *apiv1.Summary) string {
	p := s.Pin
	text := fmt.Sprintf("Pinned: version %s, by %s", short(p.Version), p.Who)
	if p.Comment != "" {
		text += fmt.Sprintf(", %q", p.Comment)
	}
	switch {
	case p.Version == s.Version:
		text += "; it stays published"
	case p.Error != "":
		text += fmt.Sprintf("; it is not published: %s; %s", p.Error, instead(s))
	default:
		text += "; it is not published yet: " + instead(s)
	}
	if p.Waiting != "" {
		text += fmt.Sprintf("; %s waits", short(p.Waiting))
	}
	return text + `. "adsidecar resume" ends that.`
}

// instead says what is published in place of what should be.
func instead(s *apiv1.Summary) string {
	if s.Version == "" {
		return "nothing is"
	}
	return "version " + short(s.Version) + " is"
}

// storeNotice tells that this control plane may not know what operators say by now.
func storeNotice(s *apiv1.Summary) string {
	since := "since the control plane started"
	if !s.OperatorsReadAt.IsZero() {
		since = "since " + moment(s.OperatorsReadAt)
	}
	return fmt.Sprintf("Not read: the operators' store, %s: %s. What others have changed since is not known to this control plane.", since, s.OperatorsError)
}

func heldNotice(h apiv1.Held) string {
	if !h.Refused {
		return fmt.Sprintf(`Held: version %s waits for a decision: %s. "adsidecar held" shows it.`, short(h.Version), h.Reason)
	}
	text := fmt.Sprintf("Refused: version %s is not published: %s", short(h.Version), h.Reason)
	if h.RefusedBy != "" {
		text += ", by " + h.RefusedBy
	}
	if h.Comment != "" {
		text += fmt.Sprintf(", %q", h.Comment)
	}
	return text + `. "adsidecar held" shows it.`
}
