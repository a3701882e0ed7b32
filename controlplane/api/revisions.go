package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

func showRevision(r revision.Revision) apiv1.Revision {
	return apiv1.Revision{
		Number: r.Number, At: r.At.UTC(), Who: r.Who, Comment: r.Comment, Kind: string(r.Kind), Reverts: r.Reverts, Changes: r.Count,
		FirstIDs: r.FirstIDs, Added: r.Added, Changed: r.Changed, Removed: r.Removed,
	}
}

// listRevisions pages from the newest to the first: what is made meanwhile is before the first page.
func (s *server) listRevisions(c *call) error {
	limit, before, err := c.pageByCount()
	if err != nil {
		return err
	}
	state := s.History.State()
	if !state.Loaded {
		return errNotLoaded
	}
	revisions, err := s.History.Revisions(c.Context(), before, limit)
	if err != nil {
		return err
	}
	page := apiv1.Page[apiv1.Revision]{Items: []apiv1.Revision{}, Total: int(state.Rows.Revision())}
	for _, r := range revisions {
		page.Items = append(page.Items, showRevision(r))
	}
	if n := len(revisions); n > 0 && revisions[n-1].Number > 1 {
		page.Next = cursorOf(strconv.FormatUint(revisions[n-1].Number, 10))
	}
	return c.write(http.StatusOK, page)
}

// pageByCount reads which page a request asks for, where a cursor is a number, and that it asks for nothing else.
func (c *call) pageByCount() (limit int, cursor uint64, err error) {
	q, err := c.params("limit", "cursor")
	if err != nil {
		return 0, 0, err
	}
	if limit, err = readLimit(q); err != nil {
		return 0, 0, err
	}
	cursor, err = readCount(q)
	return limit, cursor, err
}

// number is the revision that an argument of the path names: 1 for the first one.
func (c *call) number(arg int, least uint64) (uint64, error) {
	n, err := strconv.ParseUint(c.args[arg], 10, 63)
	if err != nil || n < least {
		return 0, errNoRevision
	}
	return n, nil
}

// diffRevisions pages what changed between two revisions; it is found out anew for each page, as revisions never change.
func (s *server) diffRevisions(c *call) error {
	limit, skip, err := c.pageByCount()
	if err != nil {
		return err
	}
	from, err := c.number(0, 0) // 0 is before the first one
	if err != nil {
		return err
	}
	to, err := c.number(1, 1)
	if err != nil {
		return err
	}
	if from >= to {
		return errRevisionOrder
	}
	if err := s.diffs.wait(c.Context()); err != nil { // all of it is in memory
		return err
	}
	defer s.diffs.leave()
	changes, err := s.History.Between(c.Context(), from, to)
	if err != nil {
		return err
	}
	answer := apiv1.RevisionsDiff{From: from, To: to, Page: apiv1.Page[apiv1.RevisionChange]{Total: len(changes)}}
	rest := changes[min(skip, uint64(len(changes))):]
	page := rest[:min(limit, len(rest))]
	answer.Items = showChanges(page)
	if len(rest) > len(page) {
		answer.Next = cursorOf(strconv.FormatUint(skip+uint64(len(page)), 10))
	}
	return c.write(http.StatusOK, answer)
}

var errRevisionOrder = badField("to", "The second revision must be newer than the first one.")

func showChanges(changes []revision.Change) []apiv1.RevisionChange {
	shown := make([]apiv1.RevisionChange, 0, len(changes))
	for _, c := range changes {
		shown = append(shown, apiv1.RevisionChange{ID: c.ID, Before: showRow(c.ID, c.Before), After: showRow(c.ID, c.After)})
	}
	return shown
}

func (s *server) getRevision(c *call) error {
	limit, from, err := c.pageByCount()
	if err != nil {
		return err
	}
	number, err := c.number(0, 1)
	if err != nil {
		return err
	}
	r, err := s.History.Revision(c.Context(), number)
	if err != nil {
		return err
	}
	changes := []revision.Change{}
	if from < uint64(r.Count) {
		if changes, err = s.History.Changes(c.Context(), number, int(from), limit); err != nil {
			return err
		}
	}
	answer := apiv1.RevisionChanges{Revision: showRevision(r), Page: apiv1.Page[apiv1.RevisionChange]{Items: showChanges(changes), Total: r.Count}}
	if next := int(from) + len(changes); len(changes) > 0 && next < r.Count {
		answer.Next = cursorOf(strconv.Itoa(next))
	}
	return c.write(http.StatusOK, answer)
}

// showRow is a row as JSON; nil where there is none.
func showRow(id string, r *revision.Row) json.RawMessage {
	switch {
	case r == nil:
		return nil
	case len(r.Campaign) > 0:
		return json.RawMessage(r.Campaign)
	}
	pause, err := json.Marshal(struct {
		ID      string `json:"id"`
		Enabled bool   `json:"enabled"`
	}{ID: id})
	if err != nil {
		return nil // a text and a bool have JSON
	}
	return pause
}

func (s *server) revert(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	number, err := c.number(0, 1)
	if err != nil {
		return err
	}
	comment, err := c.bodyComment()
	if err != nil {
		return err
	}
	var t trial
	r, err := s.History.Revert(c.Context(), number, c.who, comment, s.tryRows(&t))
	if err != nil {
		return err
	}
	s.made(c.who, "revert", comment, zap.Uint64("revision", r.Number), zap.Uint64("reverts", number))
	s.adopt(t, r.Number)
	return c.write(http.StatusOK, apiv1.Saved{
		Revision: r.Number, Note: join(t.addTo("Revision "+strconv.FormatUint(number, 10)+" is undone."), s.keptBack()),
	})
}
