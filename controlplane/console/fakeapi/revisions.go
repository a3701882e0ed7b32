package fakeapi

import (
	"fmt"
	"net/http"

	"adsidecar/controlplane/apiv1"
)

// revisionsDiff answers what changed after one revision up to another: the changes of each that is between them.
func (a *API) revisionsDiff(w http.ResponseWriter, r *http.Request, path string) {
	var d apiv1.RevisionsDiff
	if _, err := fmt.Sscanf(path, "%d/diff/%d", &d.From, &d.To); err != nil {
		notFound(w)
		return
	}
	var all []apiv1.RevisionChange
	for _, revision := range a.Revisions {
		if d.From < revision.Number && revision.Number <= d.To {
			all = append(all, revision.Items...)
		}
	}
	d.Page = pageOf(a.PageSize, all, r)
	answer(w, http.StatusOK, d)
}
