package api

import (
	_ "embed" // of the document
	"net/http"
)

// openapi is the description of everything that clients see of the gateway: this service, the ad request, and Envoy's own errors. Tests
// hold every request and answer against it.
//
//go:embed openapi.json
var openapi []byte

// document answers with the description, to the byte.
func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(openapi)
}
