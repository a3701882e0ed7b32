package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/internal/web"
)

// maxForm bounds a form: a campaign is at most about 4 KiB, and browsers write a byte as up to three.
const maxForm = 64 << 10

// view is what a handler found: a page, or where to go.
type view struct {
	Template string
	Status   int // 0: 200
	Title    string
	Section  string // of the navigation
	Data     any

	basis    apiv1.Basis // of what the page shows of the campaigns
	redirect string
}

func redirect(to string) *view { return &view{redirect: to} }

// page is what every template gets.
type page struct {
	view
	Identity  access.Identity
	Operator  bool // may write
	SignOut   bool // there is a session to end
	Pin       *apiv1.Pin
	Pinned    bool // Pin is in force: its version is what is published
	Held      *apiv1.Held
	Stuck     *apiv1.Summary // whose revision cannot be compiled
	Summary   apiv1.Summary  // empty where it could not be learned
	Ahead     bool           // what the page shows is not published
	Published string         // version; empty: none, or it is not known
	// Unknown says that what is pinned and held could not be learned.
	Unknown bool
	Done    *outcome // what was just done; nil: nothing
	Here    string   // address of this page
	Live    bool     // its address gives the same page again, as it is then
	Now     time.Time
}

// handle makes a page of what show finds.
func (c *console) handle(show func(*http.Request) (*view, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = asking(w, r)
		if r.Method == http.MethodPost {
			if access.From(r.Context()).Role < access.Operator {
				c.fail(w, r, errReadOnly)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				c.fail(w, r, &client.Error{Status: http.StatusBadRequest, Code: "invalid_form", Message: "The form could not be read, or is too large."})
				return
			}
		}
		page, err := show(r)
		switch {
		case err != nil:
			c.fail(w, r, err)
		default:
			c.answer(w, r, page)
		}
	})
}

// failure is the data of the error page.
type failure struct {
	Heading, Message, Code string
	Retry                  bool
	Look                   bool   // whether it was done is not known
	Campaign               string // whose page shows what is there
	Revision               uint64 // that did it
	Back, BackTo           string // address and name of the list that one came from
}

func notFound(message string) error {
	return &client.Error{Status: http.StatusNotFound, Code: "not_found", Message: message}
}

// goneError is for a campaign that was there.
type goneError struct {
	id string
	by apiv1.Revision
}

// Error implements error.
func (e *goneError) Error() string {
	return fmt.Sprintf("The campaign %s was there until revision %d, by %s at %s UTC (%s).",
		e.id, e.by.Number, e.by.Who, e.by.At.UTC().Format("2006-01-02 15:04"), e.by.Kind)
}

var errReadOnly = &client.Error{Status: http.StatusForbidden, Code: "read_only", Message: "This account may read but not change anything."}

// fail shows why there is no page. Errors that are not the API's are for the log.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	c.answer(w, r, c.failed(r, err))
}

func (c *console) failed(r *http.Request, err error) *view {
	status := http.StatusInternalServerError
	data := failure{Heading: "Something went wrong", Message: "This page could not be made. The log of the control plane says why.", Code: "internal"}
	var answered *client.Error
	if errors.As(err, &answered) {
		status = answered.Status
		data.Message, data.Code = answered.Message, answered.Code
		switch {
		case status == http.StatusNotFound:
			data.Heading = "Not found"
		case status == http.StatusForbidden:
			data.Heading = "Not allowed"
		case data.Code == "undone_already":
			data.Heading = "It is undone already"
		case status == http.StatusPreconditionFailed:
			data.Heading = "Somebody else was faster"
			data.Message += " Look at it as it is now, and decide anew."
			data.Campaign = campaignOfForm(r)
		case r.Method == http.MethodPost && answered.Unclear():
			data.Heading, data.Look = "It is not known whether that was done", true
		case status >= http.StatusInternalServerError:
			data.Heading, data.Retry = "The control plane cannot answer right now", true
		default:
			data.Heading = "That did not work"
		}
	} else if gone := (*goneError)(nil); errors.As(err, &gone) {
		status = http.StatusNotFound
		data = failure{Heading: "This campaign is not there any more", Message: gone.Error(), Code: "not_found", Revision: gone.by.Number}
	} else {
		c.log.Error("console page", zap.String("path", r.URL.Path), zap.Error(err))
	}
	data.Back, data.BackTo = listOf(r)
	return &view{Template: "error.html", Status: status, Title: data.Heading, Data: data}
}

// listOf is the address and the name of the list that what r asks for belongs to; empty: of none but this page.
func listOf(r *http.Request) (address, name string) {
	part, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch part {
	case "campaign", "campaigns":
		address, name = "/campaigns", "campaigns"
		if from, err := url.Parse(r.PostForm.Get("back")); err == nil && from.Path == address && from.Host == "" && from.Scheme == "" {
			address = from.RequestURI()
		}
	case "revisions", "versions", "actions", "pin":
		address, name = "/history", "history"
	}
	if r.URL.RequestURI() == address {
		return "", ""
	}
	return address, name
}

// campaignOfForm is the campaign that a form of r is about; empty: of none.
func campaignOfForm(r *http.Request) string {
	if r.URL.Path != "/campaign" && !strings.HasPrefix(r.URL.Path, "/campaign/") {
		return ""
	}
	return r.PostForm.Get("id")
}

// mediaForm is what the script accepts that sends forms.
const mediaForm = "application/json"

// sent is the answer to the script: the page that a browser would have been shown, or the address that it would have been led to.
type sent struct {
	Page     string `json:"page,omitempty"`
	Redirect string `json:"redirect,omitempty"`
}

// byScript reports whether the script sent a form, whose page stays where it is.
func byScript(r *http.Request) bool {
	return r.Method == http.MethodPost && r.Header.Get("Accept") == mediaForm
}

// answer shows a page or leads to one.
func (c *console) answer(w http.ResponseWriter, r *http.Request, v *view) {
	switch {
	case !byScript(r) && v.redirect != "":
		http.Redirect(w, r, v.redirect, http.StatusSeeOther)
	case !byScript(r):
		c.render(w, r, v)
	case v.redirect != "":
		c.sendJSON(w, http.StatusOK, sent{Redirect: v.redirect})
	default:
		page, err := c.page(r, v)
		if err != nil {
			c.log.Error("console page", zap.String("path", r.URL.Path), zap.Error(err))
			c.sendJSON(w, http.StatusInternalServerError, sent{}) // which the script takes for a broken answer
			return
		}
		c.sendJSON(w, cmp.Or(v.Status, http.StatusOK), sent{Page: string(page)})
	}
}

func (c *console) sendJSON(w http.ResponseWriter, status int, s sent) {
	w.Header().Set("Cache-Control", "no-store")
	if err := web.Write(w, status, s); err != nil {
		c.log.Error("console answer", zap.Error(err))
	}
}

func (c *console) render(w http.ResponseWriter, r *http.Request, v *view) {
	body, err := c.page(r, v)
	if err != nil {
		c.log.Error("console page", zap.String("path", r.URL.Path), zap.Error(err))
		http.Error(w, "This page could not be made. The log of the control plane says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if v.Status != 0 {
		w.WriteHeader(v.Status)
	}
	_, _ = w.Write(body) // the client may be gone
}

// page is the HTML of a page.
func (c *console) page(r *http.Request, v *view) ([]byte, error) {
	id := access.From(r.Context())
	p := page{
		view: *v, Identity: id, Operator: id.Role >= access.Operator, SignOut: id.Via != access.ViaLoopback && r.Header.Get("Authorization") == "",
		Here: r.URL.RequestURI(), Live: (r.Method == http.MethodGet || byScript(r)) && v.Template != "error.html", Now: c.now().UTC(), Ahead: v.basis.Ahead,
	}
	summary, err := c.api.Summary(r.Context())
	p.Unknown, p.Pin, p.Held = err != nil, summary.Value.Pin, summary.Value.Held
	if err != nil {
		p.Published = v.basis.Version
	} else {
		p.Published = summary.Value.Version
	}
	p.Pinned = p.Pin != nil && p.Pin.Version == p.Published
	p.Summary = summary.Value
	if summary.Value.Stuck() {
		p.Stuck = &summary.Value
	}
	p.Done = c.outcome(r, p.Published)
	var body bytes.Buffer
	err = c.pages[v.Template].ExecuteTemplate(&body, "layout.html", p)
	return visibleControls(body.Bytes()), err
}
