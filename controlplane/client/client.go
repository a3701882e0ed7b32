package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"adsidecar/internal/hostname"
	"adsidecar/internal/web"
)

// The defaults of Config.
const (
	defaultTimeout  = 30 * time.Second
	defaultSilence  = 5 * time.Minute
	defaultAttempts = 3
)

// Config says which control plane is asked, and as whom.
type Config struct {
	// Server is http:// or https://, host and port, without a path.
	Server string
	// Token is the bearer token; empty: none is sent.
	Token string
	// CAFile has the certificate authorities to trust, in PEM; empty: the system's.
	CAFile string
	// Insecure allows the token to go over plain HTTP to another machine.
	Insecure bool
	// Timeout bounds a call with its retries, but not one that streams; default: 30 s.
	Timeout time.Duration
	// Attempts is how often a read is tried; default: 3.
	Attempts int
	// Transport carries the requests in place of connections to the server; nil: there are such.
	Transport http.RoundTripper
	// Silence is how long a stream may stand still, and the control plane work on a whole document; default: 5 min.
	Silence time.Duration
}

// Client asks one control plane. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	server   string
	token    string
	timeout  time.Duration
	silence  time.Duration
	attempts int
	limit    int64 // of an answer in memory, in bytes
	wait     func(context.Context, time.Duration) error
}

// ErrPlainHTTP is New's where the token would go over plain HTTP to another machine without Config.Insecure.
var ErrPlainHTTP = errors.New("a token may be read on the way over plain HTTP; use https")

// New returns a client. It connects to nothing yet.
func New(c Config) (*Client, error) {
	server, err := checkServer(c.Server)
	if err != nil {
		return nil, err
	}
	if err := checkToken(c.Token); err != nil {
		return nil, err
	}
	if c.Token != "" && server.Scheme == "http" && !c.Insecure && !loopback(server.Hostname()) {
		return nil, fmt.Errorf("server %s: %w", server, ErrPlainHTTP)
	}
	transport := c.Transport
	if transport == nil {
		if transport, err = connections(c.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		server:   strings.TrimSuffix(server.String(), "/"),
		token:    c.Token,
		timeout:  cmp.Or(c.Timeout, defaultTimeout),
		silence:  cmp.Or(c.Silence, defaultSilence),
		attempts: cmp.Or(c.Attempts, defaultAttempts),
		limit:    maxAnswer,
		wait:     wait,
	}, nil
}

// connections go to any server whose certificate one of the authorities in caFile signed; empty: the system's.
func connections(caFile string) (*http.Transport, error) {
	roots, err := web.Roots(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}, nil
}

// Server is the address that is asked, for people.
func (c *Client) Server() string { return c.server }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// checkServer does not repeat an address that has a user and password in it.
func checkServer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("server: is not a URL such as https://ads.example.com:8443")
	case u.User != nil:
		return nil, errors.New("server: credentials do not belong in a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("server: %q is not a URL such as https://ads.example.com:8443", text)
	}
	return u, nil
}

// checkToken does not repeat the token.
func checkToken(token string) error {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return errors.New("token: has a character that no token has, such as a space or the end of a line")
		}
	}
	return nil
}

func loopback(host string) bool {
	return strings.EqualFold(host, "localhost") || hostname.Loopback(host)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
