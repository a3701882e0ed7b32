package api

import (
	_ "embed" // of the document
)

// openapi describes the API. Tests hold every request and answer against it.
//
//go:embed openapi.json
var openapi []byte

// document answers with the description, to the byte.
func (s *server) document(c *call) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	c.w.Write(openapi)
	return nil
}
