package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
	"adsidecar/filter/adindex"
)

const (
	// maxImport is the longest document that is read, in bytes.
	maxImport = 128 << 20
	// importTime is how long an import may take to arrive, and then to be written.
	importTime = 2 * time.Minute
)

// hold takes the place of the one request that needs much memory.
func (s *server) hold() (release func(), err error) {
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	default:
		return nil, errBusy
	}
}

func (s *server) importDocument(c *call) error {
	q, err := c.params("dry_run")
	if err != nil {
		return err
	}
	dry := false
	if q.Has("dry_run") {
		if dry, err = strconv.ParseBool(q.Get("dry_run")); err != nil {
			return badField("dry_run", "dry_run must be true or false.")
		}
	}
	comment, err := c.comment()
	if err != nil {
		return err
	}
	release, err := s.hold()
	if err != nil {
		return err
	}
	defer release()
	c.extend(importTime)
	im, err := readRows(http.MaxBytesReader(c.w, c.Body, maxImport))
	if err != nil {
		return documentProblem(err)
	}
	if im.found > 0 {
		return invalidDocument(im.findings, im.found-len(im.findings))
	}
	c.extend(importTime)
	v, err := s.view()
	if err != nil {
		return err
	}
	after, edits := plan(v, im.campaigns)
	diff, err := s.diffLists(v.list(), after)
	if err != nil {
		return err
	}
	answer := apiv1.Imported{DryRun: dry, Diff: diff}
	if !dry && len(edits) > 0 {
		r, err := s.History.Apply(c.Context(), revision.ChangeSet{Who: c.who, Comment: comment, Kind: revision.Import, Edits: edits})
		if err != nil && !errors.Is(err, revision.ErrUnchanged) {
			return err
		}
		answer.Revision = r.Number
	}
	return c.write(http.StatusOK, answer)
}

// extend moves the deadlines of the connection. Where there is no connection to set them for, as in tests, there is none to pass.
func (c *call) extend(d time.Duration) {
	control := http.NewResponseController(c.w)
	deadline := time.Now().Add(d)
	_ = control.SetReadDeadline(deadline)
	_ = control.SetWriteDeadline(deadline)
}

func documentProblem(err error) error {
	var document *errDocument
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &document):
		return invalidDocument([]apiv1.FieldError{{
			Code: campaign.ReasonMalformed, Message: fmt.Sprintf("the document %s", document.text), Line: document.line,
		}}, 0)
	case errors.As(err, &large):
		return tooLarge(maxImport)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(http.StatusRequestTimeout, "request_timeout", "The document took too long to arrive.")
	}
	return newProblem(http.StatusBadRequest, "bad_request", "The request did not arrive as a whole.")
}

func invalidDocument(findings []apiv1.FieldError, more int) error {
	body := apiv1.Invalid{Message: "The document is not valid. Nothing was changed.", Code: "invalid_document", Fields: findings, More: more}
	return &problem{status: http.StatusUnprocessableEntity, body: body, text: body.Message}
}

// plan is what would be in force with the campaigns, by id, and the edits that make it so. What is in force as it is sent is left alone: an
// export that comes back makes no campaign of the source an operators' one.
func plan(v *view, campaigns []campaign.Campaign) (after []item, edits []revision.RowEdit) {
	after = slices.Clone(v.list())
	var added []item
	for n := range campaigns {
		c := &campaigns[n]
		at, there := slices.BinarySearchFunc(after, c.ID, func(i item, id string) int { return strings.Compare(i.Campaign.ID, id) })
		sent := campaign.AppendJSON(nil, c)
		if there && bytes.Equal(after[at].canonical(), sent) {
			continue
		}
		i := item{Entry: campaign.Entry{Campaign: c, Operator: true}}
		if there {
			after[at] = i
		} else {
			added = append(added, i)
		}
		edits = append(edits, revision.RowEdit{ID: c.ID, After: &revision.Row{Campaign: sent}})
	}
	if len(added) > 0 {
		after = append(after, added...)
		slices.SortFunc(after, func(a, b item) int { return strings.Compare(a.Campaign.ID, b.Campaign.ID) })
	}
	return after, edits
}

// diffLists is what changes from what is in force to something else. It fails if that could not be served.
func (s *server) diffLists(before, after []item) (apiv1.Diff, error) {
	var d apiv1.Diff
	compareAds(&d, enabled(before), enabled(after))
	b, err := s.compile(after)
	if err != nil {
		return d, err
	}
	a, err := s.compile(before)
	if err != nil { // it cannot be served: whatever is published, this is not it
		if a, err = s.compile(nil); err != nil {
			return d, err
		}
	}
	d.BytesBefore, d.BytesAfter, d.Keys = a.Size(), b.Size(), changedKeys(a, b, s.Now())
	return d, nil
}

func enabled(items []item) []ad {
	ads := make([]ad, 0, len(items))
	for _, i := range items {
		if !i.Campaign.Paused {
			ads = append(ads, ad{id: i.Campaign.ID, json: i.canonical()})
		}
	}
	return ads
}

func (s *server) compile(items []item) (*adindex.Reader, error) {
	doc := &campaign.Document{Campaigns: make([]campaign.Campaign, len(items))}
	for n, i := range items {
		doc.Campaigns[n] = *i.Campaign
	}
	result, err := compile.Compile(doc, compile.Params{MaxBytes: s.MaxIndexBytes, Now: s.Now()})
	if err != nil {
		return nil, err
	}
	return adindex.Reopen(result.Bytes)
}

// gone says that nobody waits for the answer any more.
func (c *call) gone() bool { return c.Context().Err() != nil }

// exportPart is how many campaigns are written before the connection's deadline moves.
const exportPart = 1000

func (s *server) exportDocument(c *call) error {
	q, err := c.params("origin")
	if err != nil {
		return err
	}
	f, err := readFilter(q)
	if err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", `attachment; filename="campaigns.json"`)
	w := bufio.NewWriterSize(c.w, 64<<10)
	_, _ = w.WriteString(`{"ads":[`) // Flush has the error
	separator := "\n"
	now := s.Now()
	for n, i := range v.list() {
		if n%exportPart == 0 {
			c.extend(time.Minute)
			if c.gone() {
				break
			}
		}
		if !f.match(i, now) {
			continue
		}
		_, _ = w.WriteString(separator)
		_, _ = w.Write(i.canonical())
		separator = ",\n"
	}
	_, _ = w.WriteString("\n]}\n")
	_ = w.Flush() // the client may be gone
	return nil
}
