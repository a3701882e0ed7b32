package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

type importData struct {
	upload
	// Diff is what would change; nil: nothing was tried.
	Diff *shownDiff
	Base uint64 // the revision that Diff is against
	Note string // on what would change
	// Same says that an import changed nothing.
	Same bool
	// Failure is why nothing was changed, and Findings those in the document.
	Failure  string
	Findings []apiv1.FieldError
	More     int
	// Changed are the campaigns that others have changed since the look at what would change: the first 100 of them.
	Changed []string
	// Unknown says that the import may have been made.
	Unknown bool
	// Live says that the form is still there with its file.
	Live bool
}

func importView(data importData) *view {
	return &view{Template: "import.html", Title: "Import campaigns", Section: "campaigns", Data: data}
}

func (c *console) importForm(*http.Request) (*view, error) { return importView(importData{}), nil }

// mediaLines is what the script accepts.
const mediaLines = "application/x-ndjson"

// importEvent is a line of the answer to the script: how far the import is, and at last the page, or the address of that to go to.
type importEvent struct {
	Progress *apiv1.ImportProgress `json:"progress,omitempty"`
	Page     string                `json:"page,omitempty"`
	Redirect string                `json:"redirect,omitempty"`
}

// importDocument imports a document as it arrives, or says what that would change. The script is told how far it is meanwhile.
func (c *console) importDocument(w http.ResponseWriter, r *http.Request) {
	r = asking(w, r)
	if access.From(r.Context()).Role < access.Operator {
		c.fail(w, r, errReadOnly)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	live := r.Header.Get("Accept") == mediaLines
	send := func(importEvent) {}
	if live {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex() // where it cannot be, the lines come at the end
		w.Header().Set("Content-Type", mediaLines)
		w.Header().Set("Cache-Control", "no-store")
		lines := json.NewEncoder(w)
		send = func(e importEvent) {
			_ = lines.Encode(e) // the client may be gone
			_ = control.Flush()
		}
	}
	found := c.imported(r, live, func(p apiv1.ImportProgress) { send(importEvent{Progress: &p}) })
	// A browser hears nothing before it has sent everything.
	_, _ = io.Copy(io.Discard, r.Body)
	switch {
	case live && found.redirect != "":
		send(importEvent{Redirect: found.redirect})
	case live:
		page, err := c.page(r, found)
		if err != nil {
			c.log.Error("console page", zap.String("path", r.URL.Path), zap.Error(err))
			return // which the script takes for a broken connection
		}
		send(importEvent{Page: string(page)})
	case found.redirect != "":
		http.Redirect(w, r, found.redirect, http.StatusSeeOther)
	default:
		c.render(w, r, found)
	}
}

// imported does what the form asks for, and returns the page to show.
func (c *console) imported(r *http.Request, live bool, progress func(apiv1.ImportProgress)) *view {
	asked := r.URL.Query().Get("dry_run")
	dry := asked != "" && asked != "false" // what is misspelt changes nothing
	data := importData{Live: live}
	var err error
	var a client.Answer[apiv1.Imported]
	if data.upload, err = readUpload(r); err == nil {
		o := client.ImportOptions{DryRun: dry, Comment: data.Comment, Progress: progress}
		if base, none := strconv.ParseUint(r.URL.Query().Get("base"), 10, 64); none == nil {
			o.Base = &base
		}
		a, err = c.api.Import(r.Context(), data.document, o)
	}
	var refused *client.Error
	switch {
	case errors.As(err, &refused):
		data.Failure, data.Findings, data.More = strings.TrimSuffix(refused.Message, " Nothing was changed."), refused.Fields, refused.More
		data.Unknown = !dry && refused.Unclear()
		if refused.Conflict != nil {
			data.Changed = refused.Conflict.IDs
		}
		for i, f := range data.Findings {
			data.Findings[i].Message = strings.TrimPrefix(f.Message, f.Field+": ")
		}
		v := importView(data)
		v.Status = refused.Status
		return v
	case err != nil:
		c.log.Error("import by the console", zap.Error(err))
		data.Unknown = !dry
		data.Failure = "The control plane broke off. Its log says why."
		v := importView(data)
		v.Status = http.StatusInternalServerError
		return v
	case dry:
		shown := showDiff(a.Value.Diff)
		data.Diff, data.Base, data.Note = &shown, a.Value.Base, a.Value.Note
	case a.Value.Revision == 0:
		data.Same = true
	default:
		return redirect("/revisions/" + strconv.FormatUint(a.Value.Revision, 10) + "?done=imported")
	}
	return importView(data)
}
