package fakeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/internal/web"
)

// MaxDocument is how long a document may be, in bytes: less than the API's, so that a test need not send as much.
const MaxDocument = 8 << 20

// document answers exports and imports.
func (a *API) document(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		texts := make([]string, len(a.Campaigns))
		for i, c := range a.Campaigns {
			texts[i] = string(c.Campaign)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="campaigns.json"`)
		_, _ = io.WriteString(w, `{"ads":[`+strings.Join(texts, ",\n")+"]}\n")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxDocument))
	a.writes = append(a.writes, Write{r.Method, "/document?" + r.URL.RawQuery, r.Header.Clone(), string(body)})
	var status int
	var v any
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		status, v = http.StatusRequestEntityTooLarge, web.Error{Code: "payload_too_large", Message: "The body is larger than 8388608 bytes."}
	case err != nil:
		status, v = http.StatusBadRequest, web.Error{Code: "bad_request", Message: "The request did not arrive as a whole."}
	default:
		status, v = a.take(body, r.URL.Query().Get("dry_run") == "true")
		if base := r.Header.Get("If-Match"); base != "" && base != fmt.Sprintf(`"%d"`, a.Revisions[0].Number) {
			status, v = http.StatusPreconditionFailed, apiv1.Conflict{
				Code: "revision_conflict", Message: "Somebody else has changed it. Nothing was changed.", Changed: []apiv1.FieldChange{}, IDs: []string{"evening", "<b>x"},
			}
		}
	}
	if r.Header.Get("Accept") != "application/x-ndjson" {
		answer(w, status, v)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	send := func(e apiv1.ImportEvent) {
		if a.Step != nil {
			a.mu.Unlock()
			a.Step(e)
			a.mu.Lock()
		}
		_ = json.NewEncoder(w).Encode(e) // the client may be gone
		_ = control.Flush()
	}
	size := int64(len(body))
	send(apiv1.ImportEvent{Progress: &apiv1.ImportProgress{Phase: apiv1.Receiving, Done: size / 2, Total: size}})
	send(apiv1.ImportEvent{Progress: &apiv1.ImportProgress{Phase: apiv1.Checking, Done: 1, Total: 2}})
	if status != http.StatusOK {
		text, _ := json.Marshal(v) // one of ours
		send(apiv1.ImportEvent{Error: &apiv1.ImportFailure{Status: status, Body: text}})
		return
	}
	send(apiv1.ImportEvent{Progress: &apiv1.ImportProgress{Phase: apiv1.Storing, Done: 2, Total: 2}})
	if imported, ok := v.(apiv1.Imported); ok { // which take returns with 200
		send(apiv1.ImportEvent{Result: &imported})
	}
}

// take judges a document line by line, and adds its campaigns unless that is only tried.
func (a *API) take(body []byte, dry bool) (int, any) {
	var document struct {
		Ads []json.RawMessage `json:"ads"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return http.StatusUnprocessableEntity, apiv1.Invalid{
			Code: "invalid_document", Message: "The document is not valid. Nothing was changed.",
			Fields: []apiv1.FieldError{{Code: "malformed", Message: "the document is no JSON", Line: 1}},
		}
	}
	invalid := apiv1.Invalid{Code: "invalid_document", Message: "The document is not valid. Nothing was changed."}
	at := 0
	for n, ad := range document.Ads {
		at += strings.Index(string(body[at:]), string(ad))
		var named struct{ ID string }
		_ = json.Unmarshal(ad, &named) // without one, none
		_, wrong := campaign.ParseOne(ad)
		for _, e := range wrong {
			invalid.Fields = append(invalid.Fields, apiv1.FieldError{
				Field: e.Field, Code: e.Reason, Message: e.Field + ": " + e.Message, Row: n + 1, Line: 1 + strings.Count(string(body[:at]), "\n"), ID: named.ID,
			})
		}
		at += len(ad)
	}
	if len(invalid.Fields) > 0 {
		return http.StatusUnprocessableEntity, invalid
	}
	imported := apiv1.Imported{DryRun: dry, Diff: a.Diff, Note: a.Note}
	if len(a.Revisions) > 0 {
		imported.Base = a.Revisions[0].Number
	}
	if !dry && len(document.Ads) > 0 {
		imported.Revision = a.Revisions[0].Number
		for _, ad := range document.Ads {
			a.Campaigns = append(a.Campaigns, Campaign(string(ad)))
		}
	}
	return http.StatusOK, imported
}
