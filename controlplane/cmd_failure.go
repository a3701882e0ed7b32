package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"adsidecar/controlplane/client"
	"adsidecar/internal/program"
)

// failed is an error of the control plane as an operator reads it, with what to do about it.
type failed struct {
	error
	text string
}

// Error returns the text, which a terminal takes as text.
func (f failed) Error() string { return f.text }

// Unwrap returns what went wrong.
func (f failed) Unwrap() error { return f.error }

// failure adds what the error has to tell beyond its message: findings, what is there instead, what to check.
func failure(err error) error {
	if err == nil || errors.As(err, new(failed)) || errors.As(err, new(program.Misuse)) {
		return err
	}
	var b strings.Builder
	b.WriteString(cell(err.Error()))
	var refused *client.Error
	if errors.As(err, &refused) {
		details(&b, refused)
	}
	if hint := whatToCheck(err, refused); hint != "" {
		b.WriteString("\n" + hint)
	}
	return failed{err, b.String()}
}

// exitConflict is the exit code of a change that somebody else was faster with, or that does not suit what is there.
const exitConflict = 3

// conflicted reports whether all that went wrong is that.
func conflicted(err error) bool {
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		var refused *client.Error
		return errors.As(err, &refused) && (refused.Status == http.StatusConflict || refused.Status == http.StatusPreconditionFailed)
	}
	for _, one := range all.Unwrap() {
		if !conflicted(one) {
			return false
		}
	}
	return true
}

func details(b *strings.Builder, e *client.Error) {
	for _, f := range e.Fields {
		b.WriteString("\n  ")
		if f.Line > 0 {
			fmt.Fprintf(b, "line %d: ", f.Line)
		}
		if f.Row > 0 {
			fmt.Fprintf(b, "ad %d", f.Row)
			if f.ID != "" {
				fmt.Fprintf(b, " (%s)", cell(f.ID))
			}
			b.WriteString(": ")
		}
		if f.Field != "" && !strings.HasPrefix(f.Message, f.Field) {
			b.WriteString(cell(f.Field) + ": ")
		}
		b.WriteString(cell(f.Message))
		if f.Code != "" {
			fmt.Fprintf(b, " (%s)", cell(f.Code))
		}
	}
	if e.More > 0 {
		fmt.Fprintf(b, "\n  and %s more", count(e.More, "finding"))
	}
	if e.Conflict == nil {
		return
	}
	if ids := e.Conflict.IDs; len(ids) > 0 { // of several campaigns, of which the first is shown
		fmt.Fprintf(b, "\nChanged meanwhile: %s", cell(strings.Join(ids, ", ")))
	} else if e.Conflict.Present == nil {
		b.WriteString("\nIt is not there any more: somebody deleted it.")
		return
	}
	if len(e.Conflict.Changed) > 0 {
		t := newTable("FIELD", "THERE NOW", "SENT")
		for _, f := range e.Conflict.Changed {
			t.row(f.Field, valueText(f.Before), valueText(f.After))
		}
		var columns strings.Builder
		_ = t.print(&columns) // which takes everything
		if len(e.Conflict.IDs) > 1 {
			fmt.Fprintf(b, "\nOf %s:", cell(e.Conflict.IDs[0]))
		}
		b.WriteString("\n" + strings.TrimSuffix(columns.String(), "\n"))
	}
}

// mayBeDone is said where it is not known whether it was.
const mayBeDone = "What was asked for may have been done: look before you ask again (adsidecar history, adsidecar versions)."

// passing are the codes of a 503 after which nothing was done, and which time mends.
var passing = map[string]bool{
	"busy": true, "contended": true, "history_not_loaded": true, "source_not_read": true, "too_many_streams": true, "user_pool_unavailable": true,
}

// valueText is empty for null, as for what is not there.
func valueText(value json.RawMessage) string {
	if client.Absent(value) {
		return ""
	}
	return string(value)
}

// whatToCheck is empty where the message says it all.
func whatToCheck(err error, refused *client.Error) string {
	if refused != nil {
		switch {
		case refused.Unclear():
			return mayBeDone
		case refused.Code == "from_source":
			return "To stop serving it: adsidecar campaigns pause ID"
		case refused.Status == http.StatusServiceUnavailable && passing[refused.Code]:
			return "Nothing is wrong with the request: try it again a little later."
		}
		switch refused.Status {
		case http.StatusUnauthorized:
			return "Check the token in --token-file or " + tokenVariable + ": it is missing, wrong or over."
		case http.StatusForbidden:
			return "Reading takes a viewer's token, changing an operator's."
		case http.StatusPreconditionFailed:
			if refused.Conflict != nil && len(refused.Conflict.IDs) > 0 {
				return `Look at what is there now, and decide anew; of a document, "adsidecar campaigns apply --dry-run" shows what would change.`
			}
			return "Look at what is there now, and make your change anew."
		case http.StatusMisdirectedRequest:
			return "Call the control plane by its name (--server): admin.name, localhost, or the address it listens on."
		}
		if refused.Code == "" {
			return "Check --server: what answers there may not be a control plane of this version."
		}
		return ""
	}
	var format *client.FormatError
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &format):
		return "Check --server: what answers there may not be a control plane of this version."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there: check that the control plane runs (adsidecar serve), and --server or admin.address."
	case errors.As(err, &dns):
		return "Check the name in --server."
	case errors.As(err, &authority):
		return "If the certificate is of a CA of your own, name it with --ca-file."
	case errors.As(err, &name):
		return "Call the control plane by a name that its certificate has (--server)."
	case errors.As(err, &verification):
		return "Check the control plane's certificate, and --ca-file."
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "Check --server: the address does not speak TLS; http:// may be meant."
	case errors.Is(err, io.ErrUnexpectedEOF):
		return mayBeDone
	case errors.Is(err, context.DeadlineExceeded):
		return "The control plane is there but slow, or the network drops what is sent: check --server, or give it longer with --timeout."
	}
	return ""
}
