package console

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
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
	Ahead     bool           // what the page shows is not published
	Published string         // version; empty: none, or it is not known
	// Unknown says that what is pinned and held could not be learned.
	Unknown bool
	Done    string // what was just done
	Here    string // address of this page
	Live    bool   // its address gives the same page again, as it is then
	Now     time.Time
}

// done says what a form did. The address has its key, so that nobody's link can put words into our page.
var done = map[string]string{
	"created":  "The campaign is created.",
	"saved":    "The campaign is saved.",
	"paused":   "The campaign is paused.",
	"unpaused": "The campaign is not paused any more.",
	"still":    "It is not paused here any more, but its source has it paused.",
	"deleted":  "The campaign is deleted.",
	"restored": "Your campaign is deleted. The source’s campaign with this ID takes its place again.",
	"reverted": "The change is undone, as a new revision.",
	"rolled":   "The version is pinned. It is published in a moment, and stays until you resume.",
	"resumed":  "Resumed. The newest version is published in a moment, unless a guard holds it.",
	"confirm":  "The held version is confirmed. It is published in a moment, unless another is pinned.",
	"refuse":   "The held version is refused.",
	"imported": "The document is imported, as this revision.",
	"poll":     "The source is being asked now.",
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
		case page.redirect != "":
			http.Redirect(w, r, page.redirect, http.StatusSeeOther)
		default:
			c.render(w, r, page)
		}
	})
}

// failure is the data of the error page.
type failure struct {
	Heading, Message, Code string
	Retry                  bool
	Look                   bool   // whether it was done is not known
	Back, BackTo           string // address and name of the list that one came from
}

func notFound(message string) error {
	return &client.Error{Status: http.StatusNotFound, Code: "not_found", Message: message}
}

var errReadOnly = &client.Error{Status: http.StatusForbidden, Code: "read_only", Message: "This account may read but not change anything."}

// fail shows why there is no page. Errors that are not the API's are for the log.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	c.render(w, r, c.failed(r, err))
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
			data.Message += " Go back, load the page again, and decide anew."
		case r.Method == http.MethodPost && answered.Unclear():
			data.Heading, data.Look = "It is not known whether that was done", true
		case status >= http.StatusInternalServerError:
			data.Heading, data.Retry = "The control plane cannot answer right now", true
		default:
			data.Heading = "That did not work"
		}
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
	case "revisions", "versions", "pin":
		address, name = "/history", "history"
	}
	if r.URL.RequestURI() == address {
		return "", ""
	}
	return address, name
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
		Done: done[r.URL.Query().Get("done")], Here: r.URL.RequestURI(), Live: r.Method == http.MethodGet && v.Template != "error.html", Now: c.now().UTC(), Ahead: v.basis.Ahead,
	}
	summary, err := c.api.Summary(r.Context())
	p.Unknown, p.Pin, p.Held = err != nil, summary.Value.Pin, summary.Value.Held
	if err != nil {
		p.Published = v.basis.Version
	} else {
		p.Published = summary.Value.Version
	}
	p.Pinned = p.Pin != nil && p.Pin.Version == p.Published
	if summary.Value.Stuck() {
		p.Stuck = &summary.Value
	}
	var body bytes.Buffer
	err = c.pages[v.Template].ExecuteTemplate(&body, "layout.html", p)
	return body.Bytes(), err
}
