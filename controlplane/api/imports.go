package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

const (
	// maxImport is the longest document that is read, in bytes.
	maxImport = 128 << 20
	// maxUploads is how many documents may be on their way at once. What is kept of one takes up to twice its size.
	maxUploads = 2
	// importTime is how long an import may take to arrive, and then to be written.
	importTime = 2 * time.Minute
)

func (s *server) importDocument(c *call) error {
	q, err := c.params("dry_run")
	if err != nil {
		return err
	}
	i := importing{call: c}
	if q.Has("dry_run") {
		if c.dry, err = strconv.ParseBool(q.Get("dry_run")); err != nil {
			return badField("dry_run", "dry_run must be true or false.")
		}
	}
	if i.comment, err = c.comment(); err != nil {
		return err
	}
	if i.base, err = readBase(c.Header); err != nil {
		return err
	}
	if c.ContentLength > maxImport {
		return tooLarge(maxImport)
	}
	if err := s.uploads.enter(); err != nil {
		return err
	}
	if c.wantsLines() {
		return c.answerInLines(i.run)
	}
	answer, err := i.run(nil)
	if err != nil {
		return err
	}
	return c.write(http.StatusOK, answer)
}

// importing is an import that is under way.
type importing struct {
	*call

	comment string
	base    *uint64 // that If-Match names; nil: none
	told    *progress
}

// run receives the document in a slot for uploads, and then takes the one of imports: a slow client keeps nobody's document that is here
// already from being imported. The slot for uploads is given back no earlier, as documents that wait take memory, too.
func (i *importing) run(told *progress) (apiv1.Imported, error) {
	i.told = told
	arrived := sync.OnceFunc(i.s.uploads.leave)
	defer arrived()
	campaigns, err := i.receive()
	if err != nil {
		return apiv1.Imported{}, err
	}
	i.extend(importTime + eventTime) // for the answer as well
	ctx, cancel := context.WithTimeout(i.Context(), importTime)
	defer cancel()
	if err := i.s.imports.wait(ctx); err != nil {
		return apiv1.Imported{}, err
	}
	defer i.s.imports.leave()
	arrived()
	var moved error
	for range saveTries {
		answer, err := i.make(ctx, campaigns)
		if !errors.As(err, new(*revision.ConflictError)) && !errors.Is(err, revision.ErrUnchanged) {
			return answer, err
		}
		moved = err
	}
	return apiv1.Imported{}, moved
}

func (i *importing) receive() ([]campaign.Campaign, error) {
	i.extend(importTime)
	body := i.told.reading(http.MaxBytesReader(i.w, i.Body, maxImport), i.ContentLength)
	im, err := readRows(body)
	switch {
	case err != nil:
		return nil, documentProblem(err)
	case im.found > 0:
		return nil, invalidDocument(im.findings, im.found-len(im.findings))
	}
	return im.campaigns, nil
}

// make plans the import for what is in force, tries it and writes it, unless it would overwrite what its author has not seen. It returns a *revision.ConflictError, or ErrUnchanged, if one of its
// campaigns is not what the plan was made for any more: then it is to be planned anew, as what is left alone because it is the same may not
// be.
func (i *importing) make(ctx context.Context, campaigns []campaign.Campaign) (apiv1.Imported, error) {
	answer := apiv1.Imported{DryRun: i.dry}
	i.told.at(apiv1.Checking, 0, len(campaigns))
	v, err := i.view(ctx)
	if err != nil {
		return answer, err
	}
	answer.Base = v.rows.Revision()
	edits, err := plan(v, campaigns)
	if err != nil {
		return answer, err
	}
	if err := i.seen(ctx, v, edits); err != nil {
		return answer, err
	}
	t := trial{before: v.Effective, after: v.Effective}
	if len(edits) > 0 {
		if t, err = i.s.try(ctx, v.Effective, i.s.views.under(v.Source, edited(v.rows, edits))); err != nil {
			return answer, err
		}
	}
	if answer.Diff, err = i.s.diffOf(ctx, t); err != nil {
		return answer, err
	}
	answer.Note = t.addTo(cutNote(t.index))
	i.told.at(apiv1.Checking, len(campaigns), len(campaigns))
	if i.dry || len(edits) == 0 {
		return answer, nil
	}
	t.index = nil // it may be large, and writing may take long
	again := false
	r, err := i.s.History.Apply(ctx, revision.ChangeSet{
		Who: i.who, Comment: i.comment, Kind: revision.Import, Edits: edits,
		Progress: func(written, all int) { i.told.at(apiv1.Storing, written, all) },
		Check: func(ctx context.Context, before, after revision.Rows) error {
			if candidate := i.s.Publisher.View(); before == v.rows && candidate != nil && candidate.Source == v.Source {
				return nil // it is what was tried
			}
			again, answer.Base = true, before.Revision()
			if err := unmoved(v, before, campaigns); err != nil {
				return err
			}
			return i.s.tryRows(&t)(ctx, before, after)
		},
	})
	if err != nil {
		return answer, err
	}
	answer.Revision = r.Number
	i.s.made(i.who, "import", i.comment, zap.Uint64("revision", r.Number), zap.Int("campaigns", r.Count))
	i.s.adopt(t, r.Number)
	if again {
		answer.Note = t.addTo(cutNote(t.index))
		if d, err := i.s.diffOf(ctx, t); err == nil {
			answer.Diff = d
		} else { // the import is made: its answer is what was planned, which is as good as that
			i.log("compare what an import has made", err)
		}
	}
	answer.Note = join(answer.Note, i.s.keptBack())
	return answer, nil
}

// plan is the edits that bring campaigns into force. What is in force as it is sent is left alone: an export that comes back makes no campaign
// of the source an operators' one.
func plan(v *view, campaigns []campaign.Campaign) ([]revision.RowEdit, error) {
	var edits []revision.RowEdit
	var findings []apiv1.FieldError
	for n := range campaigns {
		c := &campaigns[n]
		present, there := v.get(c.ID)
		sent := campaign.AppendJSON(nil, c)
		if there && bytes.Equal(present.canonical(), sent) {
			continue
		}
		if f, ok := unreachable(c.ID); ok && !there {
			f.Row, f.ID = n+1, c.ID
			findings = append(findings, f)
		}
		edits = append(edits, revision.RowEdit{ID: c.ID, After: &revision.Row{Campaign: sent}})
	}
	if len(findings) > 0 {
		return nil, invalidDocument(findings, 0)
	}
	return edits, nil
}

// maxMoved is how many campaigns that others have changed are named.
const maxMoved = 100

// addConflict counts a campaign that others have changed, and names the first ones.
func addConflict(e *revision.ConflictError, now revision.Rows, id string, wanted *revision.Row) {
	if e.All++; e.All > maxMoved {
		return
	}
	c := revision.Conflict{ID: id, Wanted: wanted}
	if present, there := now.Get(id); there {
		c.Present = &present
	}
	e.Conflicts = append(e.Conflicts, c)
}

// unmoved returns a *revision.ConflictError for those of the campaigns whose rows are not what they were in a view.
func unmoved(v *view, now revision.Rows, campaigns []campaign.Campaign) error {
	var e revision.ConflictError
	for n := range campaigns {
		c := &campaigns[n]
		was, _ := v.rows.Get(c.ID)
		if is, _ := now.Get(c.ID); was.Revision == is.Revision {
			continue
		}
		addConflict(&e, now, c.ID, &revision.Row{Campaign: campaign.AppendJSON(nil, c)})
	}
	if e.All == 0 {
		return nil
	}
	return &e
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
