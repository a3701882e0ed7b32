// Package web is what every HTTP address of the product has in common: the body of an error, JSON answers, and a server with timeouts
// that ends gracefully; and for its clients, which certificate authorities to trust.
package web

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Error is the error body of every part of the product.
type Error struct {
	Message string `json:"message"`
	Code    string `json:"code"`
	// Field names what is wrong with the request, as a path: "address.postcode".
	Field string `json:"field,omitempty"`
}

// Internal is what clients learn of a failure that is ours.
var Internal = Error{Message: "An internal error happened.", Code: "internal"}

// Write answers with v as JSON, and the headers that every answer has. The error is that of encoding v, which is answered with a 500.
func Write(w http.ResponseWriter, status int, v any) error {
	body, err := Marshal(v)
	return send(w, status, body, err)
}

// WriteIndented is Write for people who read the answer as it comes.
func WriteIndented(w http.ResponseWriter, status int, v any) error {
	body, err := marshal(v, "  ")
	return send(w, status, body, err)
}

// Marshal is json.Marshal, but & < > stay as they are: what is sent here is JSON and never looked at as HTML, and people read it.
func Marshal(v any) ([]byte, error) { return marshal(v, "") }

func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func send(w http.ResponseWriter, status int, body []byte, err error) error {
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"An internal error happened.","code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
	return err
}
