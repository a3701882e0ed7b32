package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"adsidecar/controlplane/campaign"
	"adsidecar/internal/web"
)

const (
	// DefaultTimeout bounds a poll unless HTTPConfig says otherwise.
	DefaultTimeout = 10 * time.Second

	userAgent      = "adsidecar" // names the program to the source
	maxHeaderBytes = 64 << 10
	idleTimeout    = 90 * time.Second

	// An HTTP/2 connection on which nothing comes is asked whether it is alive, and given up. The default is never to ask.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
)

// HTTPConfig configures an HTTP source.
type HTTPConfig struct {
	// URL of the document, http or https, without user information: a secret belongs into HeaderFile.
	URL string

	// Timeout bounds a whole poll: name lookup, connection, redirects and the last byte of the body. 0 means
	// DefaultTimeout.
	Timeout time.Duration

	// MaxBytes bounds the document after decompression. 0 means DefaultMaxBytes.
	MaxBytes int64

	// HeaderName and HeaderFile add a secret header to the request: its value is what the file holds, without
	// line ends at its end. The file is read for each poll, so that the secret can be rotated while the program
	// runs. Both or neither.
	HeaderName string
	HeaderFile string

	// CAFile is a PEM file of the certificate authorities to trust instead of the system's. Read once.
	CAFile string

	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// HTTP polls a document over HTTP. Conditional requests (ETag, Last-Modified) save the transfer of an unchanged
// document and gzip shortens the others.
//
// Content-Type is ignored: what a document is shows when it is decoded. Proxies are taken from the environment as
// everywhere in Go.
//
// Poll, Position and Resume belong to one goroutine at a time; the other methods may be called at any time.
type HTTP struct {
	url       *url.URL
	location  string
	identity  string
	timeout   time.Duration
	maxBytes  int64
	secret    secretHeader
	now       func() time.Time
	roots     *x509.CertPool // nil: the system's
	transport *http.Transport
	suspect   bool // the connection: the network failed on the last poll

	last     content
	lastTags validators
	readAt   time.Time // when lastTags came with a full answer
}

// NewHTTP returns a source for cfg. It reads the CA file and sends nothing; the error joins all that is wrong and
// quotes no part of the URL.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	target, urlErr := parseURL(cfg.URL)
	roots, caErr := web.Roots(cfg.CAFile)
	if err := errors.Join(urlErr, caErr, checkHeader(cfg), checkLimits(cfg.Timeout, cfg.MaxBytes)); err != nil {
		return nil, err
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &HTTP{
		url:       target,
		location:  redact(target),
		identity:  identify(target),
		timeout:   cmp.Or(cfg.Timeout, DefaultTimeout),
		maxBytes:  cmp.Or(cfg.MaxBytes, DefaultMaxBytes),
		secret:    secretHeader{name: http.CanonicalHeaderKey(cfg.HeaderName), file: cfg.HeaderFile},
		now:       now,
		roots:     roots,
		transport: newTransport(roots),
	}, nil
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		// The transport's own decompression has no bound.
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}
}

// Poll reads the document. It returns campaign.ErrNotModified if the document is the one that Poll returned last (or
// that Resume named), an error that wraps *TooLargeError if it is too large, and otherwise an error that names the
// source and what happened. A failed poll does not change what "last" means.
func (h *HTTP) Poll(ctx context.Context) (campaign.Snapshot, error) {
	if h.suspect {
		// HTTP/2 would use a connection that is dead but not closed again and again. A new transport, as closing the idle
		// connections of the old one may miss this one: the request that timed out leaves it a moment later. Then the ping
		// or the idle timeout ends it.
		h.suspect = false
		h.transport.CloseIdleConnections()
		h.transport = newTransport(h.roots)
	}
	bounded, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	snapshot, err := h.poll(bounded)
	if err == nil || errors.Is(err, campaign.ErrNotModified) {
		return snapshot, err
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() && bounded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("timed out after %s", h.timeout)
	}
	return campaign.Snapshot{}, fmt.Errorf("get %s: %w", h.location, err)
}

func (h *HTTP) poll(ctx context.Context) (campaign.Snapshot, error) {
	conditions := h.conditions()
	resp, err := h.fetch(ctx, conditions) //nolint:bodyclose // discard closes it
	if err != nil {
		return campaign.Snapshot{}, err
	}
	defer discard(resp.Body)
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode == http.StatusNotModified && conditions != (validators{}):
		return campaign.Snapshot{}, campaign.ErrNotModified
	case resp.StatusCode == http.StatusNotModified:
		return campaign.Snapshot{}, errors.New("status 304 to a request without conditions")
	default:
		return campaign.Snapshot{}, fmt.Errorf("status %d", resp.StatusCode)
	}

	data, err := answer{body: resp.Body, encoding: resp.Header.Get("Content-Encoding"), length: resp.ContentLength}.read(h.maxBytes)
	if err != nil {
		h.suspect = true
		return campaign.Snapshot{}, err
	}
	now := h.now()
	h.lastTags, h.readAt = validatorsOf(resp.Header), now
	modified, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil {
		modified = time.Time{}
	}
	return h.last.handOut(data, modified, now)
}

// Changed returns nil: an HTTP server does not tell.
func (h *HTTP) Changed() <-chan struct{} { return nil }

// Describe returns "http" and the URL without query.
func (h *HTTP) Describe() (kind, location string) { return "http", h.location }

// Identity tells this source from others across restarts. It covers the whole URL and reveals nothing of its query.
func (h *HTTP) Identity() string { return h.identity }

func identify(u *url.URL) string {
	bare := *u
	bare.Fragment = ""
	sum := sha256.Sum256([]byte(bare.String()))
	return "http " + hex.EncodeToString(sum[:])
}

// redact returns u without its query, which may hold a secret.
func redact(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.RawQuery != "" {
		bare.RawQuery = "redacted"
	}
	return bare.String()
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		// The cause quotes the URL.
		return nil, errors.New("url: not an absolute http or https URL (not shown: it may hold a secret)")
	}
	if u.User != nil {
		return nil, errors.New("url: user information is not sent; use a header")
	}
	return u, nil
}

// checkHeader refuses the headers whose value the source or the connection decides.
func checkHeader(cfg HTTPConfig) error {
	if cfg.HeaderName == "" && cfg.HeaderFile == "" {
		return nil
	}
	if cfg.HeaderName == "" || cfg.HeaderFile == "" {
		return errors.New("header: name and file belong together")
	}
	if !httpguts.ValidHeaderFieldName(cfg.HeaderName) {
		return fmt.Errorf("header: %q is not a header name", cfg.HeaderName)
	}
	switch http.CanonicalHeaderKey(cfg.HeaderName) {
	case "Accept-Encoding", "Connection", "Content-Length", "Host", "If-Modified-Since", "If-None-Match", "Range",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent":
		return fmt.Errorf("header: %s cannot be set", cfg.HeaderName)
	}
	return nil
}

func checkLimits(timeout time.Duration, maxBytes int64) error {
	var errs []error
	if timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is negative", timeout))
	}
	if maxBytes < 0 {
		errs = append(errs, fmt.Errorf("max bytes: %d is negative", maxBytes))
	}
	return errors.Join(errs...)
}
