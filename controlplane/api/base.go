package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

// readBase reads the If-Match of an import: the revision that its author saw, in quotes; nil where the header is absent.
func readBase(h http.Header) (*uint64, error) {
	lines := h.Values("If-Match")
	if len(lines) == 0 {
		return nil, nil //nolint:nilnil // no header is no condition
	}
	text, begins := strings.CutPrefix(strings.Trim(lines[0], " \t"), `"`)
	text, ends := strings.CutSuffix(text, `"`)
	base, err := strconv.ParseUint(text, 10, 63)
	if err != nil || !begins || !ends || len(lines) > 1 {
		return nil, badField("If-Match", `If-Match must be the base of a dry run, in quotes.`)
	}
	return &base, nil
}

// view is what the import is planned for. It is at the revision of If-Match, or after it, if there is such a one.
func (i *importing) view(ctx context.Context) (*view, error) {
	v, err := i.s.view()
	if err != nil || i.base == nil || *i.base <= v.rows.Revision() {
		return v, err
	}
	if err := i.s.History.Follow(ctx); err != nil { // another replica has made it
		return nil, err
	}
	if v, err = i.s.view(); err == nil && *i.base > v.rows.Revision() {
		body := apiv1.Conflict{
			Message: "The revision that this was made from is not there: the history is another one by now. Nothing was changed.", Code: "revision_conflict",
			Changed: []apiv1.FieldChange{},
		}
		err = &problem{status: http.StatusPreconditionFailed, body: body, text: body.Message}
	}
	return v, err
}

// seen refuses edits of campaigns that operators have changed after the revision of If-Match, or removed. What is by now as it is sent is no
// edit: an import that is sent again, as its answer was lost, is in nobody's way.
func (i *importing) seen(ctx context.Context, v *view, edits []revision.RowEdit) error {
	if i.base == nil || len(edits) == 0 || *i.base == v.rows.Revision() {
		return nil
	}
	since, err := i.s.History.Between(ctx, *i.base, v.rows.Revision())
	if err != nil {
		return err
	}
	changed := make(map[string]struct{}, len(since))
	for _, c := range since {
		changed[c.ID] = struct{}{}
	}
	var e revision.ConflictError
	for _, edit := range edits {
		if _, ok := changed[edit.ID]; ok {
			addConflict(&e, v.rows, edit.ID, edit.After)
		}
	}
	if e.All == 0 {
		return nil
	}
	return i.conflict(&e)
}
