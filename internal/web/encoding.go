package web

import (
	"net/http"
	"strings"
)

// Encoded says that a request's body is encoded, as by gzip: nothing here reads such a one. The answer is [ErrEncoded] with status 415, and
// "Accept-Encoding: identity" (RFC 9110, 12.5.3 and 15.5.16).
func Encoded(h http.Header) bool {
	for _, coding := range strings.Split(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return true
		}
	}
	return false
}

// ErrEncoded is the body of the answer to a request whose body is [Encoded].
var ErrEncoded = Error{Message: "An encoded body is not read here: send it as it is, without Content-Encoding.", Code: "unsupported_media_type"}
