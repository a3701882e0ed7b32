package api

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
	"adsidecar/internal/web"
)

// problem is an error as clients see it.
type problem struct {
	status int
	header map[string]string
	body   any // web.Error, apiv1.Invalid or apiv1.Conflict
	text   string
}

// Error implements error. It has the message for clients, which may repeat what they sent: it is not for logs.
func (p *problem) Error() string { return p.text }

func newProblem(status int, code, message string) *problem {
	return &problem{status: status, body: web.Error{Message: message, Code: code}, text: message}
}

// badField is a mistake in a part of the request outside its body's campaign: a parameter, a header, a member.
func badField(field, message string) *problem {
	return &problem{status: http.StatusBadRequest, body: web.Error{Message: message, Code: "invalid_parameter", Field: field}, text: message}
}

// maybeMade is for a write whose end is not known.
const maybeMade = "The change may have been made: look before you try again."

// errEncoded is for a body that is encoded.
var errEncoded = &problem{
	status: http.StatusUnsupportedMediaType, header: map[string]string{"Accept-Encoding": "identity"}, body: web.ErrEncoded, text: web.ErrEncoded.Message,
}

// retryLater are the headers of a 503.
var retryLater = map[string]string{"Retry-After": "1"}

func unavailable(code, message string) *problem {
	p := newProblem(http.StatusServiceUnavailable, code, message)
	p.header = retryLater
	return p
}

var (
	errNoPath      = newProblem(http.StatusNotFound, "not_found", "There is nothing at this path.")
	errNobody      = newProblem(http.StatusUnauthorized, "unauthorized", "It is not known who asks.")
	errNoCampaign  = newProblem(http.StatusNotFound, "campaign_not_found", "There is no campaign of this id.")
	errNoRevision  = newProblem(http.StatusNotFound, "revision_not_found", "There is no such revision.")
	errNoVersion   = newProblem(http.StatusNotFound, "version_not_found", "This version is not kept: the last 50 that were published are.")
	errNotPinned   = newProblem(http.StatusNotFound, "not_pinned", "No version is pinned.")
	errNothingHeld = newProblem(http.StatusNotFound, "nothing_held", "No version waits for a decision.")
	errNotHeld     = newProblem(http.StatusConflict, "not_held", "Another version is held by now, or none: look again.")
	errNoIndex     = newProblem(http.StatusNotFound, "nothing_published", "No index is published yet.")
	errExists      = newProblem(http.StatusConflict, "campaign_exists", "There is a campaign of this id already: nothing was changed.")
	errPinChanged  = newProblem(http.StatusConflict, "pin_changed", "Somebody else has just changed the pin: look again.")
	errFromSource  = newProblem(http.StatusConflict, "from_source",
		"This campaign comes from the source and cannot be deleted here, but paused.")

	errNoDocument  = unavailable("source_not_read", "The source's document has not been read yet, so what is in force is not known. Try again.")
	errNotLoaded   = unavailable("history_not_loaded", "The operators' changes have not been read yet. Try again.")
	errUnavailable = unavailable("store_unavailable", "The store of changes cannot be reached. Try again.")
	errContended   = unavailable("contended", "Others keep changing campaigns. Nothing was changed: try again.")
	errTimeout     = unavailable("timeout", "The request took too long.")
	// To a write the same is said in other words, as how it ended is not known.
	errMaybeMade = unavailable("store_unavailable", "The store of changes cannot be reached. "+maybeMade)
	errMaybeLate = unavailable("timeout", "The request took too long. "+maybeMade)
	errBusy      = unavailable("busy", "Another large request is under way. Try again.")
)

// refuse answers with an error. It is the one place where errors become statuses; what is not known here is internal, and its text stays in
// the log.
func (c *call) refuse(err error) {
	p := c.problem(err)
	for name, value := range p.header {
		c.w.Header().Set(name, value)
	}
	_ = c.write(p.status, p.body)
}

func (c *call) problem(err error) *problem {
	var (
		own      *problem
		invalid  *revision.InvalidError
		conflict *revision.ConflictError
		large    *http.MaxBytesError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &conflict):
		return c.conflict(conflict)
	case errors.As(err, &invalid):
		return &problem{status: http.StatusUnprocessableEntity, body: web.Error{Message: invalid.Message, Code: "invalid_change", Field: invalid.Field}}
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, revision.ErrNotFound):
		return errNoRevision
	case errors.Is(err, ErrNoVersion):
		return errNoVersion
	case errors.Is(err, ErrNotPinned):
		return errNotPinned
	case errors.Is(err, ErrNotHeld):
		return errNotHeld
	case errors.Is(err, revision.ErrContended), errors.Is(err, revision.ErrConflict), errors.Is(err, revision.ErrUnchanged):
		return errContended
	case errors.Is(err, revision.ErrUnavailable):
		return c.unknown(err, errUnavailable, errMaybeMade)
	case errors.Is(err, compile.ErrKeyTooLarge):
		return newProblem(http.StatusUnprocessableEntity, "key_too_large", "This cannot be served: "+err.Error())
	case errors.Is(err, compile.ErrTooLarge), errors.Is(err, compile.ErrTooManyPairs):
		return newProblem(http.StatusUnprocessableEntity, "index_too_large", "This cannot be served: "+err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return c.unknown(err, errTimeout, errMaybeLate)
	}
	c.log("request failed", err)
	return &problem{status: http.StatusInternalServerError, body: web.Internal}
}

// unknown is the answer to a read, or to a write, whose end is not known. It is logged, as a change that was made after all has no other line.
func (c *call) unknown(err error, read, write *problem) *problem {
	if !c.reads() {
		c.log("it is not known whether a change was made", err)
		return write
	}
	if !errors.Is(c.Context().Err(), context.Canceled) { // else nobody waits for it, and nothing need have failed
		c.log("request not answered", err)
	}
	return read
}

// reads says that the request changes nothing, however it ends.
func (c *call) reads() bool {
	return c.Method == http.MethodGet || c.Method == http.MethodHead || c.dry
}

// log logs an error with the request's path, which has ids and versions; parameters and headers, which may have secrets, stay out.
func (c *call) log(message string, err error) {
	c.s.Logger.Error(message, zap.String("method", c.Method), zap.String("path", c.URL.EscapedPath()), zap.String("who", c.who), zap.Error(err))
}

// conflict is 412: somebody else was faster. Of a set of changes the first campaign is shown, and the others are named.
func (c *call) conflict(e *revision.ConflictError) *problem {
	body := apiv1.Conflict{
		Message: "Somebody else has changed it: " + e.Error() + ". Nothing was changed.", Code: "revision_conflict", Changed: []apiv1.FieldChange{},
	}
	for _, of := range e.Conflicts {
		body.IDs = append(body.IDs, of.ID)
	}
	if view, err := c.s.view(); err == nil && len(e.Conflicts) > 0 {
		first := e.Conflicts[0]
		item, there := view.get(first.ID)
		var present []byte
		if there {
			body.Present, present = c.s.show(item), item.canonical()
		}
		body.Changed = fieldChanges(present, view.under(first.ID, first.Wanted))
	}
	return &problem{status: http.StatusPreconditionFailed, body: body}
}

// invalidCampaign is 422 with all that is wrong.
func invalidCampaign(found []campaign.FieldError) *problem {
	body := apiv1.Invalid{Message: "The campaign is not valid.", Code: "invalid_campaign", Fields: []apiv1.FieldError{}}
	for _, f := range found {
		body.Fields = append(body.Fields, fieldError(f))
	}
	return &problem{status: http.StatusUnprocessableEntity, body: body, text: body.Message}
}

func fieldError(f campaign.FieldError) apiv1.FieldError {
	return apiv1.FieldError{Field: f.Field, Code: f.Reason, Message: f.Error()}
}
