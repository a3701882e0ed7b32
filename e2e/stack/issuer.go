package stack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// IssuerMode is what an issuer's JWKS server does.
type IssuerMode int

// The modes of an [Issuer].
const (
	IssuerServes IssuerMode = iota // answers with the published keys
	IssuerFails                    // answers 500
	IssuerHangs                    // takes the request and does not answer
)

// Issuer is a token issuer with keys of its own and a JWKS server that can be broken: for what moto cannot do. Its tokens have
// Cognito's claims. It is safe for concurrent use.
type Issuer struct {
	// Name is the iss claim of its tokens.
	Name string

	port *Port

	mu       sync.Mutex
	mode     IssuerMode
	keys     []*issuerKey // in order of making; the last one signs
	requests int
	changed  chan struct{} // closed and replaced at each request and change of mode
	server   *http.Server  // nil while it is down
}

type issuerKey struct {
	kid       string
	private   *rsa.PrivateKey
	published bool
}

// StartIssuer starts an issuer with one key. name is its iss claim.
func StartIssuer(name string) (*Issuer, error) {
	port, err := ReservePort()
	if err != nil {
		return nil, err
	}
	i := &Issuer{Name: name, port: port, changed: make(chan struct{})}
	if _, err := i.Rotate(); err != nil {
		port.Release()
		return nil, err
	}
	if err := i.Start(); err != nil {
		port.Release()
		return nil, err
	}
	return i, nil
}

// JWKSURL is where its keys are.
func (i *Issuer) JWKSURL() string { return i.port.URL() + "/.well-known/jwks.json" }

// Rotate makes a key, publishes it beside the others and signs with it from now on. It returns the new key's kid.
func (i *Issuer) Rotate() (kid string, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	kid = fmt.Sprintf("key-%d", len(i.keys)+1)
	i.keys = append(i.keys, &issuerKey{kid: kid, private: private, published: true})
	return kid, nil
}

// Withdraw takes a key out of the JWKS. It can still sign.
func (i *Issuer) Withdraw(kid string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	k, err := i.key(kid)
	if err != nil {
		return err
	}
	k.published = false
	return nil
}

// key is the one with this kid, or the newest if kid is empty.
func (i *Issuer) key(kid string) (*issuerKey, error) {
	if kid == "" {
		return i.keys[len(i.keys)-1], nil
	}
	for _, k := range i.keys {
		if k.kid == kid {
			return k, nil
		}
	}
	return nil, fmt.Errorf("issuer %s has no key %q", i.Name, kid)
}

// SetMode changes what the JWKS server does. Requests that hang are answered in the new way.
func (i *Issuer) SetMode(m IssuerMode) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mode = m
	i.notify()
}

func (i *Issuer) notify() {
	close(i.changed)
	i.changed = make(chan struct{})
}

// Requests is how often the keys were asked for.
func (i *Issuer) Requests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests
}

// WaitRequests returns when the keys have been asked for n times in all.
func (i *Issuer) WaitRequests(ctx context.Context, n int) error {
	for {
		i.mu.Lock()
		got, changed := i.requests, i.changed
		i.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for JWKS request %d, have %d: %w", n, got, ctx.Err())
		}
	}
}

// Stop takes the JWKS server down: connections are refused. Stopping it twice does nothing.
func (i *Issuer) Stop() {
	i.mu.Lock()
	s := i.server
	i.server = nil
	i.notify()
	i.mu.Unlock()
	if s != nil {
		_ = s.Close() // it is down either way
	}
}

// Start takes a stopped JWKS server up again, at the same address.
func (i *Issuer) Start() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.server != nil {
		return nil
	}
	l, err := Listen(i.port.Address())
	if err != nil {
		return fmt.Errorf("start issuer: %w", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(i.serve), ReadHeaderTimeout: 5 * time.Second}
	i.server = s
	go serve(s, l)
	return nil
}

// Close stops it and gives its port back.
func (i *Issuer) Close() {
	i.Stop()
	i.port.Release()
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests++
	i.notify()
	for i.mode == IssuerHangs && i.server != nil && r.Context().Err() == nil {
		changed := i.changed
		i.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		i.mu.Lock()
	}
	defer i.mu.Unlock()
	if i.mode != IssuerServes || r.Context().Err() != nil {
		http.Error(w, "broken on purpose", http.StatusInternalServerError)
		return
	}
	keys, err := i.jwks()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(keys) // the client is gone if it fails
}

func (i *Issuer) jwks() ([]byte, error) {
	set := jwk.NewSet()
	for _, k := range i.keys {
		if !k.published {
			continue
		}
		key, err := jwk.Import(k.private.Public())
		if err != nil {
			return nil, fmt.Errorf("publish %s: %w", k.kid, err)
		}
		err = errors.Join(
			key.Set(jwk.KeyIDKey, k.kid),
			key.Set(jwk.AlgorithmKey, jwa.RS256()),
			key.Set(jwk.KeyUsageKey, jwk.ForSignature),
			set.AddKey(key),
		)
		if err != nil {
			return nil, fmt.Errorf("publish %s: %w", k.kid, err)
		}
	}
	return json.Marshal(set)
}

// serve runs s until it is closed. Its error is then http.ErrServerClosed, or the listener's that nobody can act on.
func serve(s *http.Server, l net.Listener) { _ = s.Serve(l) }
