package access

import (
	_ "embed"
	"html/template"
	"mime"
	"net/http"
	"net/url"

	"go.uber.org/zap"
)

//go:embed signedout.html
var signedOutText string

var signedOutPage = template.Must(template.New("signed-out").Parse(signedOutText))

// maxHeldForm bounds the form that somebody gets back who is signed out.
const maxHeldForm = 64 << 10

// signedOut answers a browser that sends a form of nobody's: nothing was done, and what was typed can be sent again from the answer.
// Uploads are not kept.
func (g *Guard) signedOut(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("WWW-Authenticate", `Bearer realm="adsidecar"`)
	h.Set("Content-Type", "text/html; charset=utf-8")
	var form url.Values
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/x-www-form-urlencoded" {
		r.Body = http.MaxBytesReader(w, r.Body, maxHeldForm)
		if r.ParseForm() == nil {
			form = r.PostForm
		}
	}
	w.WriteHeader(http.StatusUnauthorized)
	err := signedOutPage.Execute(w, struct {
		Address, SignIn string
		Form            url.Values
	}{nextPath(r.URL.RequestURI()), SignInPath, form})
	if err != nil {
		g.log.Debug("signed-out page", zap.Error(err)) // the client is gone
	}
}
