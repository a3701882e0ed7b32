package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/net/http/httpguts"
)

const (
	maxRedirects   = 5
	maxSecretBytes = 16 << 10
)

// fetch sends the request and follows redirects. It does so itself, not with http.Client: that one would send a custom
// secret header and, as the Referer, the query of the URL to whatever host a redirect names, and puts URLs into errors.
//
// The secret header goes to the configured host alone, and no longer once a redirect has left it: a foreign host must not
// choose what is asked in our name.
func (h *HTTP) fetch(ctx context.Context, conditions validators) (*http.Response, error) {
	secret, err := h.secret.read()
	if err != nil {
		return nil, err
	}
	target, trusted := h.url, true
	for hop := 0; ; hop++ {
		req := h.request(ctx, target, conditions)
		if trusted && h.secret.file != "" {
			req.Header.Set(h.secret.name, secret)
		}
		resp, err := h.transport.RoundTrip(req)
		if err != nil {
			h.suspect = true
			return nil, at(hop, target, err)
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			// Its body is the connection itself, which no context ends: it is not read.
			_ = resp.Body.Close()
			return nil, at(hop, target, errors.New("status 101"))
		}
		if !isRedirect(resp.StatusCode) {
			if hop > 0 && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotModified {
				discard(resp.Body)
				return nil, at(hop, target, fmt.Errorf("status %d", resp.StatusCode))
			}
			return resp, nil
		}
		discard(resp.Body)
		if hop == maxRedirects {
			return nil, fmt.Errorf("more than %d redirects", maxRedirects)
		}
		next, err := redirectTarget(target, resp)
		if err != nil {
			return nil, at(hop, target, err)
		}
		trusted = trusted && sameHost(h.url, next)
		target = next
	}
}

func (h *HTTP) request(ctx context.Context, target *url.URL, conditions validators) *http.Request {
	header := make(http.Header)
	header.Set("Accept", "application/json, */*;q=0.5")
	header.Set("Accept-Encoding", "gzip")
	header.Set("User-Agent", userAgent)
	conditions.apply(header)
	req := &http.Request{
		Method: http.MethodGet, URL: target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return req.WithContext(ctx)
}

// at names the place of an error that did not happen at the configured URL.
func at(hop int, target *url.URL, err error) error {
	if hop == 0 {
		return err
	}
	return fmt.Errorf("redirected to %s: %w", redact(target), err)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

func redirectTarget(from *url.URL, resp *http.Response) (*url.URL, error) {
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, fmt.Errorf("status %d without a Location", resp.StatusCode)
	}
	to, err := from.Parse(location)
	if err != nil || (to.Scheme != "http" && to.Scheme != "https") || to.Hostname() == "" {
		return nil, fmt.Errorf("status %d to what is not an http or https URL", resp.StatusCode)
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	if from.Scheme == "https" && to.Scheme == "http" {
		return nil, fmt.Errorf("redirect from https to %s refused", redact(to))
	}
	return to, nil
}

// sameHost reports whether b is the host and port of a; http to https on the default ports is the same host.
func sameHost(a, b *url.URL) bool {
	if a.Hostname() != b.Hostname() {
		return false
	}
	return port(a) == port(b) || (port(a) == "80" && port(b) == "443" && b.Scheme == "https")
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// secretHeader is a header whose value lives in a file. The value never enters an error.
type secretHeader struct {
	name, file string
}

func (s secretHeader) read() (string, error) {
	if s.file == "" {
		return "", nil
	}
	info, err := os.Stat(s.file)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file") // a pipe would be waited for
	}
	if err != nil {
		return "", fmt.Errorf("header file: %w", err)
	}
	f, err := os.Open(s.file)
	if err != nil {
		return "", fmt.Errorf("header file: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	value, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", fmt.Errorf("header file: %w", err)
	}
	value = bytes.TrimRight(value, "\r\n")
	switch {
	case len(value) > maxSecretBytes:
		err = fmt.Errorf("larger than %d bytes", maxSecretBytes)
	case len(value) == 0:
		err = errors.New("empty")
	case !httpguts.ValidHeaderFieldValue(string(value)):
		err = errors.New("holds a byte that a header cannot carry")
	default:
		return string(value), nil
	}
	return "", fmt.Errorf("header file %s: %w", s.file, err)
}
