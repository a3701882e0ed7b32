package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

func checkURL(text []byte) error {
	if plainURL(text) {
		return nil
	}
	return parseURL(string(text))
}

func parseURL(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("must not have control characters")
	}
	u, err := url.Parse(s)
	if err != nil {
		return unparsable{err}
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("must be an absolute http(s) URL")
	}
	if u.Hostname() == "" {
		return errors.New("must have a host")
	}
	return nil
}

// unparsable is the error of a URL that net/url does not take.
type unparsable struct{ error }

func (u unparsable) Error() string {
	err := u.error
	var parse *url.Error // its text would repeat the whole URL
	if errors.As(err, &parse) {
		err = parse.Err
	}
	return fmt.Sprintf("must be an absolute http(s) URL (%s)", shortened(err.Error()))
}

// plainURL reports whether a URL is one of those that are surely valid, as nearly all are: net/url takes any path and query
// without a percent sign behind a host of letters, digits, dots and hyphens. Parsing costs ten times as much, and garbage.
func plainURL(s []byte) bool {
	rest, ok := bytes.CutPrefix(s, []byte("https://"))
	if !ok {
		if rest, ok = bytes.CutPrefix(s, []byte("http://")); !ok {
			return false
		}
	}
	host := 0
	for host < len(rest) && inHost(rest[host]) {
		host++
	}
	if host == 0 || host < len(rest) && rest[host] != '/' && rest[host] != '?' {
		return false
	}
	for _, c := range rest[host:] {
		if c <= ' ' || c > '~' || c == '%' {
			return false
		}
	}
	return true
}

func inHost(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || 'A' <= c && c <= 'Z'
}
