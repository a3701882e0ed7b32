// Package api is the HTTP interface of the user service: it reads requests strictly, asks the parts behind it, and puts what they
// answer, errors above all, into the words of openapi.json. It decides nothing about records or sign-ins.
//
// The order of checks is the same everywhere: path, method, token, headers and query, body, record. All is bounded: a body by 64 KiB, a
// request by [Config.Timeout], and a panic ends one request alone.
package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/users/record"
)

// Endpoint is one of the four paths that clients call, without its slash.
type Endpoint string

// The endpoints.
const (
	Authenticate Endpoint = "authenticate"
	Create       Endpoint = "create"
	Read         Endpoint = "read"
	Update       Endpoint = "update"
)

// Endpoints are all endpoints.
var Endpoints = []Endpoint{Authenticate, Create, Read, Update}

// Accounts signs users in, and up. Its errors are those of package account.
type Accounts interface {
	SignIn(ctx context.Context, username, password string) (account.Session, error)
}

// Records creates, reads and updates records for a caller. Its errors are those of package record.
type Records interface {
	Create(ctx context.Context, caller record.Caller, a record.Attributes, idempotencyKey string) (record.Record, error)
	Read(ctx context.Context, caller record.Caller, userID string) (record.Record, error)
	Update(ctx context.Context, caller record.Caller, userID string, c record.Change, match *record.Match) (record.Record, error)
}

// Tokens verifies the value of the Authorization header. Its errors are those of package token.
type Tokens interface {
	Verify(ctx context.Context, authorization string) (token.Claims, error)
}

// Config is what the API needs. The parts must be safe for concurrent use and end when their context does.
type Config struct {
	// Serve are the endpoints to answer, each with its /hc- path; the others are 404. Empty: all.
	Serve []Endpoint
	// Accounts and Pool serve authenticate; Records, Tokens, Store and Keys serve the others. Those of endpoints that are not served may
	// be nil.
	Accounts Accounts
	Records  Records
	Tokens   Tokens
	// Pool, Store and Keys are nil while the user pool answers, the store can be read and written, and there are keys to verify tokens
	// with. They are asked once a second each at most, the pool once in 5 s while it answers, and for 800 ms.
	Pool  func(context.Context) error
	Store func(context.Context) error
	Keys  func(context.Context) error
	// OperatorsGroup is the group of a token whose members may read and update every record. Empty: nobody.
	OperatorsGroup string
	// Timeout is how long a request may take. 0: 10 s.
	Timeout time.Duration
	// Now is the clock. Nil: the system's.
	Now func() time.Time
	// Registerer gets the API's metrics; nil: none are kept. Gatherer is what /metrics shows; nil: /metrics is 404.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	// Logger gets a line for each request: a warning for a 503, an error for a 500, and debug for the rest. No line has a token, a
	// password, or anything else of a body. Nil: none.
	Logger *zap.Logger
}

func (c *Config) applyDefaults() {
	if len(c.Serve) == 0 {
		c.Serve = Endpoints
	}
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
}

func (c *Config) validate() error {
	var errs []error
	for _, e := range c.Serve {
		switch {
		case !slices.Contains(Endpoints, e):
			errs = append(errs, fmt.Errorf("serve: %q is none of authenticate, create, read, update", e))
		case e == Authenticate && (c.Accounts == nil || c.Pool == nil):
			errs = append(errs, errors.New("authenticate needs Accounts and Pool"))
		case e != Authenticate && (c.Records == nil || c.Tokens == nil || c.Store == nil || c.Keys == nil):
			errs = append(errs, fmt.Errorf("%s needs Records, Tokens, Store and Keys", e))
		}
	}
	return errors.Join(errs...)
}

// New returns the handler of the whole API.
func New(c Config) (http.Handler, error) {
	c.applyDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	s := &service{Config: c, metrics: m, paths: map[string]path{}}
	s.routes()
	return s, nil
}

// routes fills the table of paths. It is a map and no [http.ServeMux]: paths are matched to the byte, and one that is not clean is unknown
// rather than redirected, as a client that follows a redirect loses its body or its token.
func (s *service) routes() {
	actions := map[Endpoint]path{
		Authenticate: {methods: []string{http.MethodPost}, handle: s.authenticate},
		Create:       {methods: []string{http.MethodPost}, handle: s.create},
		Read:         {methods: []string{http.MethodGet, http.MethodHead}, handle: s.read},
		Update:       {methods: []string{http.MethodPut}, handle: s.update},
	}
	pool := s.newDependency("the user pool", s.Pool, poolEvery)
	store := s.newDependency("the store", s.Store, checkEvery)
	keys := s.newDependency("the token verifier", s.Keys, checkEvery)
	needs := map[Endpoint][]*dependency{Authenticate: {pool}, Create: {store, keys}, Read: {store, keys}, Update: {store, keys}}

	get := []string{http.MethodGet, http.MethodHead}
	var all []*dependency
	for _, e := range s.Serve {
		p := actions[e]
		p.endpoint = e
		s.paths["/"+string(e)] = p
		s.paths["/hc-"+string(e)] = path{methods: get, plain: checkHandler(needs[e])}
		for _, d := range needs[e] {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	s.paths["/healthz"] = path{methods: get, plain: s.live}
	s.paths["/readyz"] = path{methods: get, plain: s.readyHandler(all)}
	s.paths["/openapi.json"] = path{methods: get, plain: document}
	if s.Gatherer != nil {
		h := promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{ErrorLog: zap.NewStdLog(s.Logger)})
		s.paths["/metrics"] = path{methods: get, plain: h.ServeHTTP}
	}
}
