// Package fakeapi is a fake of the HTTP API for the tests of its client, the console: it answers with what a test gave it, keeps
// campaigns in memory, and remembers every write. Of the campaigns' rules it knows how one is read, and nothing of what is served when.
package fakeapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/internal/web"
)

// Write is a write that was asked for.
type Write struct {
	Method, Path string
	Header       http.Header
	Body         string
}

// API is the fake. Its fields are set before it is asked, and changed by [API.Do] after that.
type API struct {
	mu sync.Mutex

	Status      any
	Campaigns   []apiv1.Campaign // those of an operator; replaced and removed by writes
	Pin         *apiv1.Pin
	Held        *apiv1.Held
	Fleet       apiv1.Fleet
	Versions    []apiv1.Version
	Diff        apiv1.Diff
	Note        string // of imports
	Revisions   []apiv1.RevisionChanges
	Actions     []apiv1.Action
	Coverage    []apiv1.Coverage
	Explanation compile.Explanation
	Served      apiv1.Served
	Basis       apiv1.Basis // of coverage and explanation
	Broken      bool        // every answer is 503
	Behind      bool        // the pinned version is not published, or not yet
	PageSize    int         // of lists; 0: all
	// Step is called before each event of an import that is answered with its progress, without the lock; nil: nothing waits.
	Step      func(apiv1.ImportEvent)
	writes    []Write
	revision  int
	listeners map[chan struct{}]bool
}

// Do changes the fake while it is being asked, and tells all who listen for events.
func (a *API) Do(change func(*API)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
	for listener := range a.listeners {
		select {
		case listener <- struct{}{}:
		default: // it has one to read already
		}
	}
}

// Writes are those so far.
func (a *API) Writes() []Write {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Write(nil), a.writes...)
}

// Listeners is how many listen for events.
func (a *API) Listeners() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.listeners)
}

// Campaign makes a running campaign of an operator of the JSON of a valid one.
func Campaign(text string) apiv1.Campaign {
	parsed, _ := campaign.ParseOne([]byte(text))
	canonical := campaign.AppendJSON(nil, &parsed)
	state := apiv1.Running
	if parsed.Paused {
		state = apiv1.Paused
	}
	return apiv1.Campaign{
		ID: parsed.ID, Origin: apiv1.FromOperator, State: state, Campaign: canonical, EligibleNow: state == apiv1.Running, Revision: 1,
		ETag: `"first"`,
	}
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _ := strings.CutPrefix(r.URL.Path, "/api/v1")
	if path == "/events" {
		a.events(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Broken {
		answer(w, http.StatusServiceUnavailable, web.Error{Code: "store_unavailable", Message: "The store is not available."})
		return
	}
	if path == "/document" {
		a.document(w, r)
		return
	}
	if r.Method != http.MethodGet {
		body, _ := io.ReadAll(r.Body) // in memory
		a.writes = append(a.writes, Write{r.Method, path, r.Header.Clone(), string(body)})
		a.write(w, r, path, body)
		return
	}
	a.read(w, r, path)
}

// summary is what Status, Pin and Held say, as far as somebody reads it.
func (a *API) summary() apiv1.Summary {
	var status struct {
		Operators struct {
			Revision uint64 `json:"revision"`
			Compiled uint64 `json:"compiled_revision"`
			Error    string `json:"error"`

			ReadAt     time.Time `json:"read_at"`
			ReadError  string    `json:"read_error"`
			Unreadable int       `json:"unreadable"`
		} `json:"operators"`
	}
	text, _ := json.Marshal(a.Status) // of JSON
	_ = json.Unmarshal(text, &status)
	o := status.Operators
	version := a.Basis.Version
	if a.Pin != nil && !a.Behind {
		version = a.Pin.Version
	}
	return apiv1.Summary{
		Version: version, Pin: a.Pin, Held: a.Held, Revision: o.Revision, CompiledRevision: o.Compiled, RevisionError: o.Error,
		OperatorsError: o.ReadError, OperatorsReadAt: o.ReadAt, UnreadableRows: o.Unreadable,
	}
}

func (a *API) read(w http.ResponseWriter, r *http.Request, path string) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/status":
		answer(w, http.StatusOK, a.Status)
	case path == "/summary":
		answer(w, http.StatusOK, a.summary())
	case path == "/pin" && a.Pin != nil:
		answer(w, http.StatusOK, a.Pin)
	case path == "/held" && a.Held != nil:
		answer(w, http.StatusOK, a.Held)
	case path == "/fleet":
		answer(w, http.StatusOK, a.Fleet)
	case path == "/versions":
		all := slices.Clone(a.Versions)
		for i := range all {
			if a.Pin != nil {
				all[i].Pinned = all[i].Version == a.Pin.Version
				all[i].Published = all[i].Pinned && !a.Behind || a.Behind && all[i].Version == a.Basis.Version
			}
		}
		answer(w, http.StatusOK, apiv1.Page[apiv1.Version]{Items: all, Total: len(all)})
	case first == "versions" && strings.Contains(rest, "/diff/"):
		answer(w, http.StatusOK, a.Diff)
	case first == "versions":
		for _, version := range a.Versions {
			if rest == version.Version {
				answer(w, http.StatusOK, version)
				return
			}
		}
		notFound(w)
	case path == "/revisions":
		all := make([]apiv1.Revision, len(a.Revisions))
		for i, revision := range a.Revisions {
			all[i] = revision.Revision
		}
		answer(w, http.StatusOK, pageOf(a.PageSize, all, r))
	case path == "/actions":
		size := a.PageSize
		if asked, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && size == 0 {
			size = asked
		}
		answer(w, http.StatusOK, pageOf(size, a.Actions, r))
	case first == "revisions" && strings.Contains(rest, "/diff/"):
		a.revisionsDiff(w, r, rest)
	case first == "revisions":
		for _, revision := range a.Revisions {
			if rest == strconv.FormatUint(revision.Number, 10) {
				answer(w, http.StatusOK, revision)
				return
			}
		}
		notFound(w)
	case path == "/coverage":
		a.coverage(w, r)
	case path == "/served":
		answer(w, http.StatusOK, a.Served)
	case path == "/explain" && len(r.URL.Query().Get("country")) != 2:
		answer(w, http.StatusBadRequest, web.Error{Code: "invalid_parameter", Field: "country", Message: "country must be two letters."})
	case path == "/explain":
		answer(w, http.StatusOK, struct {
			compile.Explanation
			apiv1.Basis
		}{a.Explanation, a.Basis})
	case path == "/campaigns":
		var matching []apiv1.Campaign
		for _, c := range a.Campaigns {
			if strings.Contains(c.ID, r.URL.Query().Get("q")) {
				matching = append(matching, c)
			}
		}
		answer(w, http.StatusOK, pageOf(a.PageSize, matching, r))
	case first == "campaigns":
		if i := a.find(rest); i >= 0 {
			answer(w, http.StatusOK, a.Campaigns[i])
			return
		}
		notFound(w)
	default:
		notFound(w)
	}
}

func (a *API) find(id string) int {
	for i, c := range a.Campaigns {
		if c.ID == id {
			return i
		}
	}
	return -1
}

func (a *API) write(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	first, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first != "campaigns" {
		answer(w, http.StatusOK, apiv1.Saved{Revision: 2})
		return
	}
	present := a.find(id)
	switch {
	case present < 0 && (r.Method == http.MethodPatch || r.Method == http.MethodDelete):
		notFound(w)
		return
	case r.Method != http.MethodPost && present < 0 && r.Header.Get("If-None-Match") != "*":
		answer(w, http.StatusPreconditionFailed, apiv1.Conflict{Code: "revision_conflict", Message: "The campaign was deleted."})
		return
	case r.Method != http.MethodPost && present >= 0 && r.Header.Get("If-Match") != a.Campaigns[present].ETag:
		answer(w, http.StatusPreconditionFailed, apiv1.Conflict{
			Code: "revision_conflict", Message: "The campaign was changed since.", Present: &a.Campaigns[present],
		})
		return
	case r.Method == http.MethodDelete:
		gone := a.Campaigns[present]
		a.Campaigns = append(a.Campaigns[:present:present], a.Campaigns[present+1:]...)
		saved := apiv1.Saved{Revision: 2, Note: "The campaign is deleted."}
		if gone.Overrides {
			source := Campaign(string(gone.Source))
			saved.Note, saved.Campaign = "The source's campaign is in force again.", &source
		}
		answer(w, http.StatusOK, saved)
		return
	case r.Method == http.MethodPatch:
		fields := map[string]json.RawMessage{}
		if json.Unmarshal(a.Campaigns[present].Campaign, &fields) != nil || json.Unmarshal(body, &fields) != nil {
			notFound(w)
			return
		}
		body, _ = json.Marshal(fields) // of JSON
	}
	if _, wrong := campaign.ParseOne(body); len(wrong) > 0 {
		invalid := apiv1.Invalid{Code: "invalid_campaign", Message: "The campaign is not valid."}
		for _, e := range wrong {
			invalid.Fields = append(invalid.Fields, apiv1.FieldError{Field: e.Field, Code: e.Reason, Message: e.Field + ": " + e.Message})
		}
		answer(w, http.StatusUnprocessableEntity, invalid)
		return
	}
	saved := Campaign(string(body))
	if r.Method == http.MethodPost && a.find(saved.ID) >= 0 {
		answer(w, http.StatusConflict, web.Error{Code: "campaign_exists", Message: "There is a campaign with this ID already."})
		return
	}
	a.revision++
	saved.ETag = fmt.Sprintf(`"saved-%d"`, a.revision)
	if present >= 0 {
		a.Campaigns[present] = saved
	} else {
		a.Campaigns = append(a.Campaigns, saved)
	}
	answer(w, http.StatusOK, apiv1.Saved{Revision: 2, Campaign: &saved})
}

func (a *API) events(w http.ResponseWriter, r *http.Request) {
	listener := make(chan struct{}, 1)
	a.mu.Lock()
	if a.listeners == nil {
		a.listeners = map[chan struct{}]bool{}
	}
	a.listeners[listener] = true
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.listeners, listener)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // a recorder has none
	for {
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-listener:
			_, _ = fmt.Fprint(w, "event: status\ndata: {}\n\n")
		}
	}
}

func pageOf[T any](size int, all []T, r *http.Request) apiv1.Page[T] {
	page := apiv1.Page[T]{Items: all, Total: len(all)}
	if size == 0 {
		return page
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // without one, 0
	from = min(max(from, 0), len(all))
	until := min(from+size, len(all))
	page.Items = all[from:until]
	if until < len(all) {
		page.Next = strconv.Itoa(until)
	}
	return page
}

func notFound(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, web.Error{Code: "not_found", Message: "There is no such thing."})
}

func answer(w http.ResponseWriter, status int, v any) {
	_ = web.Write(w, status, v) // what a test gave it can be encoded
}
