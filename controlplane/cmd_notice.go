package main

import (
	"context"
	"fmt"
	"io"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

// notices say what keeps the newest campaigns from being published: the pin, what a guard holds, and a revision that cannot be compiled.
func notices(ctx context.Context, c *client.Client) []string {
	a, err := c.Summary(ctx)
	if err != nil {
		return []string{"What keeps it from being published is not known: " + err.Error()}
	}
	var all []string
	if pin := a.Value.Pin; pin != nil {
		all = append(all, pinNotice(*pin))
	}
	if held := a.Value.Held; held != nil {
		all = append(all, heldNotice(*held))
	}
	if a.Value.Stuck() {
		all = append(all, fmt.Sprintf(`Not compiled: revision %d; %d is the last that is. %s. "adsidecar revert %d" undoes it.`,
			a.Value.Revision, a.Value.CompiledRevision, a.Value.RevisionError, a.Value.Revision))
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

func pinNotice(p apiv1.Pin) string {
	text := fmt.Sprintf("Pinned: version %s stays published, by %s", p.Version, p.Who)
	if p.Comment != "" {
		text += fmt.Sprintf(", %q", p.Comment)
	}
	if p.Waiting != "" {
		text += fmt.Sprintf("; %s waits", p.Waiting)
	}
	return text + `. "adsidecar resume" ends that.`
}

func heldNotice(h apiv1.Held) string {
	if !h.Refused {
		return fmt.Sprintf(`Held: version %s waits for a decision: %s. "adsidecar held" shows it.`, h.Version, h.Reason)
	}
	text := fmt.Sprintf("Refused: version %s is not published: %s", h.Version, h.Reason)
	if h.RefusedBy != "" {
		text += ", by " + h.RefusedBy
	}
	if h.Comment != "" {
		text += fmt.Sprintf(", %q", h.Comment)
	}
	return text + `. "adsidecar held" shows it.`
}
