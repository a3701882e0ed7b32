package fakeapi

import (
	"net/http"
	"strings"

	"adsidecar/controlplane/apiv1"
)

// coverage knows no codes but those of its keys.
func (a *API) coverage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	answered := apiv1.CoveragePage{Basis: a.Basis}
	if query.Get("published") == "true" {
		answered.Ahead = false
	}
	var found []apiv1.Coverage
	for _, key := range a.Coverage {
		if !is(query.Get("country"), key.Country) || !is(query.Get("lang"), key.Lang) {
			continue
		}
		found = append(found, key)
		switch key.Without {
		case 0:
		case 24 * 60:
			answered.AllDay++
		default:
			answered.InPart++
		}
	}
	answered.Page = pageOf(a.PageSize, found, r)
	answer(w, http.StatusOK, answered)
}

func is(asked, code string) bool { return asked == "" || strings.EqualFold(asked, code) }
