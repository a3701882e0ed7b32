package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// saveTries is how often a change is decided anew because somebody else was faster with the same campaign.
const saveTries = 5

// edit is what becomes of a campaign.
type edit struct {
	after *revision.Row // nil: what operators say of it is removed
	note  string
	back  bool // the source's campaign is back, which has a note of its own
}

// decision makes an edit of what is in force: there is false where no campaign of the id is.
type decision func(i item, there bool) (edit, error)

// row is an edit that stores a campaign.
func row(c *campaign.Campaign, note string) edit {
	return edit{after: &revision.Row{Campaign: campaign.AppendJSON(nil, c)}, note: note}
}

// save changes one campaign under the request's conditions, and answers. Each try sees what is in force anew; the store takes the change
// only if the row is still what the decision was made of, so nothing is lost, and if the whole can be compiled with it.
func (s *server) save(c *call, id string, decide decision) error {
	if _, err := c.params(); err != nil {
		return err
	}
	match, matchErr := readCondition(c.Header, "If-Match")
	noneMatch, noneErr := readCondition(c.Header, "If-None-Match")
	comment, commentErr := c.comment()
	if err := cmpErr(matchErr, noneErr, commentErr); err != nil {
		return err
	}
	for try := range saveTries {
		v, err := s.view()
		if err != nil {
			return err
		}
		i, there := v.get(id)
		if !conditionsHold(match, noneMatch, i, there) {
			if try == 0 { // another replica may have written what the client saw
				if err := s.History.Follow(c.Context()); err != nil {
					return err
				}
				continue
			}
			return s.preconditionFailed(v, id, i, there, decide)
		}
		e, err := decide(i, there)
		if err != nil {
			return err
		}
		seen := i.revision // a copy: what waits for its turn must not keep a view of all campaigns
		var t trial
		r, err := s.History.Apply(c.Context(), revision.ChangeSet{
			Who: c.who, Comment: comment, Kind: kindOf(v, id, i, there, e.after),
			Edits: []revision.RowEdit{{ID: id, After: e.after, Match: &seen}}, Check: s.tryRows(&t),
		})
		var conflict *revision.ConflictError
		switch {
		case errors.As(err, &conflict):
			continue
		case errors.Is(err, revision.ErrUnchanged):
			return s.saved(c, http.StatusOK, id, seen, edit{note: "Nothing changed."})
		case err != nil:
			return err
		}
		status := http.StatusOK
		if !there && e.after != nil {
			status = http.StatusCreated
		}
		s.made(c.who, "edit", comment, zap.Uint64("revision", r.Number), zap.String("campaign", id))
		s.adopt(t, r.Number)
		e.note = join(t.addTo(e.note), s.keptBack())
		return s.saved(c, status, id, r.Number, e)
	}
	return errContended
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func conditionsHold(match, noneMatch *condition, i item, there bool) bool {
	if match != nil && (!there || !match.has(i.etag())) {
		return false
	}
	return noneMatch == nil || !there || !noneMatch.has(i.etag())
}

// saved answers with the campaign after a change.
func (s *server) saved(c *call, status int, id string, revision uint64, e edit) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	body := apiv1.Saved{Revision: revision, Note: e.note}
	if i, ok := v.get(id); ok {
		body.Campaign = s.show(i)
		c.w.Header().Set("ETag", body.Campaign.ETag)
		if e.back {
			body.Note = join(backNote(i), e.note)
		}
	}
	if status == http.StatusCreated {
		c.w.Header().Set("Location", root+"campaigns/"+url.PathEscape(id))
	}
	return c.write(status, body)
}

// backNote is what whoever gives a campaign back to its source is told.
func backNote(i item) string {
	if i.Campaign.Paused {
		return "The campaign follows its source again, which pauses it itself: it stays paused."
	}
	return "The source's campaign is in force again."
}

func join(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), " ")
}

// preconditionFailed is 412, with what the change would do to what is there now.
func (s *server) preconditionFailed(v *view, id string, i item, there bool, decide decision) error {
	body := apiv1.Conflict{
		Message: "The campaign is not what you saw: somebody else has changed it. Nothing was changed.", Code: "revision_conflict", Changed: []apiv1.FieldChange{},
	}
	var present []byte
	if there {
		body.Present = s.show(i)
		present = i.canonical()
	}
	if e, err := decide(i, there); err == nil && e.after != nil {
		body.Changed = fieldChanges(present, v.under(id, e.after))
	}
	return &problem{status: http.StatusPreconditionFailed, body: body, text: body.Message}
}

// fieldChanges are the fields in which two canonical campaigns differ, by name.
func fieldChanges(before, after []byte) []apiv1.FieldChange {
	b, a := fieldsOf(before), fieldsOf(after)
	names := maps.Clone(b)
	maps.Copy(names, a)
	changes := []apiv1.FieldChange{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(b[name], a[name]) {
			changes = append(changes, apiv1.FieldChange{Field: name, Before: b[name], After: a[name]})
		}
	}
	return changes
}

func fieldsOf(canonical []byte) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(canonical, &m) // canonical JSON is valid; none has no fields
	return m
}

// parse reads a whole campaign.
func (c *call) parse() (*campaign.Campaign, error) {
	body, err := c.readBody()
	if err != nil {
		return nil, err
	}
	if _, err := members(body); err != nil && !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return nil, err
	}
	parsed, found := campaign.ParseOne(body)
	if len(found) > 0 {
		return nil, invalidCampaign(found)
	}
	return &parsed, nil
}

func (s *server) createCampaign(c *call) error {
	parsed, err := c.parse()
	if err != nil {
		return err
	}
	return s.save(c, parsed.ID, func(_ item, there bool) (edit, error) {
		if there {
			return edit{}, errExists
		}
		return create(parsed)
	})
}

func (s *server) replaceCampaign(c *call) error {
	parsed, err := c.parse()
	if err != nil {
		return err
	}
	id := c.args[0]
	if parsed.ID != id {
		return idChanged()
	}
	return s.save(c, id, func(i item, there bool) (edit, error) {
		if !there {
			return create(parsed)
		}
		return row(parsed, overrideNote(i)), nil
	})
}

func create(c *campaign.Campaign) (edit, error) {
	if f, ok := unreachable(c.ID); ok {
		return edit{}, &problem{status: http.StatusUnprocessableEntity, body: apiv1.Invalid{
			Message: "The campaign is not valid.", Code: "invalid_campaign", Fields: []apiv1.FieldError{f},
		}}
	}
	return row(c, ""), nil
}

// unreachable is what is wrong with an id that no path can have, as clients take it for a step (RFC 3986, section 5.2.4): also %2E, to browsers.
// Documents of the source may have it.
func unreachable(id string) (apiv1.FieldError, bool) {
	if id != "." && id != ".." {
		return apiv1.FieldError{}, false
	}
	return apiv1.FieldError{Field: "id", Code: campaign.ReasonInvalidID, Message: "id: must not be . or .., which no path can have"}, true
}

// overrideNote is what whoever changes a campaign of the source is told.
func overrideNote(i item) string {
	if i.fromSource() {
		return "This campaign now replaces the source's, whose changes it does not follow. Delete it to have the source's back."
	}
	return ""
}

func idChanged() error {
	return invalidCampaign([]campaign.FieldError{{Field: "id", Reason: campaign.ReasonInvalidID, Message: "is the path's and cannot be changed"}})
}

func (s *server) patchCampaign(c *call) error {
	body, err := c.readBody()
	if err != nil {
		return err
	}
	patch, err := members(body)
	if err != nil {
		return err
	}
	return s.save(c, c.args[0], func(i item, there bool) (edit, error) {
		if !there {
			return edit{}, errNoCampaign
		}
		return applyPatch(i, patch)
	})
}

// applyPatch is a merge patch (RFC 7396) of what is in force. Pausing a source campaign stores the pause alone, and taking that back
// removes it: the campaign goes on following its source.
func applyPatch(i item, patch map[string]jsontext.Value) (edit, error) {
	if enabled := string(patch["enabled"]); len(patch) == 1 && !i.Operator {
		switch {
		case enabled == "false" && (i.PausedByOperator || !i.Campaign.Paused):
			return edit{after: &revision.Row{}, note: "The campaign is paused, and follows its source otherwise."}, nil
		case (enabled == "true" || enabled == "null") && i.PausedByOperator:
			return edit{back: true}, nil
		}
	}
	merged, found := campaign.ParseOne(mergePatch(i.canonical(), patch))
	if len(found) > 0 {
		return edit{}, invalidCampaign(found)
	}
	if merged.ID != i.Campaign.ID {
		return edit{}, idChanged()
	}
	if bytes.Equal(campaign.AppendJSON(nil, &merged), i.canonical()) && !i.Operator { // nothing to override
		return edit{after: pauseOf(i)}, nil
	}
	return row(&merged, overrideNote(i)), nil
}

// pauseOf is the row that a source campaign has.
func pauseOf(i item) *revision.Row {
	if i.PausedByOperator {
		return &revision.Row{}
	}
	return nil
}

// mergePatch changes the members of a canonical campaign, which has no objects in it, so that there is nothing to merge deeper. A field
// that no campaign has stays with its null, to be refused.
func mergePatch(canonical []byte, patch map[string]jsontext.Value) []byte {
	fields := fieldsOf(canonical)
	for name, value := range patch {
		if _, there := fields[name]; value.Kind() == 'n' && (there || slices.Contains(optional, name)) {
			delete(fields, name)
			continue
		}
		fields[name] = json.RawMessage(value)
	}
	merged, err := json.Marshal(fields)
	if err != nil {
		return nil // no valid member makes it fail; nothing is no campaign
	}
	return merged
}

// optional are the fields that a campaign may lack.
var optional = []string{"name", "labels", "enabled", "priority", "weight", "time_zone", "days", "start_at", "end_at"}

func (s *server) deleteCampaign(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	return s.save(c, c.args[0], func(i item, there bool) (edit, error) {
		switch {
		case !there && i.revision != 0: // the pause of a campaign that its source does not have any more
			return edit{}, nil
		case !there:
			return edit{}, errNoCampaign
		case !i.Operator:
			return edit{}, errFromSource
		case i.Overridden != nil:
			return edit{back: true}, nil
		}
		return edit{note: "The campaign is deleted."}, nil
	})
}
