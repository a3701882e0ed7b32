package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// fetchTimeout bounds a reading from the name lookup to the last byte, as the gateway's (envoy.jwksTimeout).
	fetchTimeout   = 5 * time.Second
	maxJWKSBytes   = 1 << 20
	maxHeaderBytes = 64 << 10
)

// fetcher reads the JWKS. The keys decide who is let in: they come from the configured URL and from nowhere that it redirects to.
type fetcher struct {
	url       *url.URL
	transport *http.Transport
}

func newFetcher(target *url.URL, roots *x509.CertPool) *fetcher {
	return &fetcher{url: target, transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		// The transport's own decompression has no bound.
		DisableCompression: true,
		// Minutes lie between two readings: a connection would be closed meanwhile, or worse, dead.
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}}
}

// fetch returns the body. ctx bounds it in time. The error does not show the URL's query.
func (f *fetcher) fetch(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.String(), http.NoBody)
	if err != nil {
		return nil, errors.New("get the JWKS: the URL is not one") // the cause quotes it
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "adsidecar")
	body, err := f.body(req)
	switch {
	case err == nil:
		return body, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("timed out after %s", fetchTimeout)
	}
	return nil, fmt.Errorf("get %s://%s%s: %w", f.url.Scheme, f.url.Host, f.url.EscapedPath(), err)
}

// body uses the transport, not an http.Client: that one would follow redirects and put the whole URL into errors.
func (f *fetcher) body(req *http.Request) ([]byte, error) {
	resp, err := f.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or of no use
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	// One byte over the limit tells "too large" from "exactly at the limit".
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read body after %d bytes: %w", len(body), err)
	}
	if len(body) > maxJWKSBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxJWKSBytes)
	}
	return body, nil
}
