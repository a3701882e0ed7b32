package token

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"adsidecar/internal/web"
)

// clockSkew is the most that the issuer's clock may differ from ours, as in the gateway (envoy.clockSkewSeconds).
const clockSkew = 60 * time.Second

// Config says whose tokens a [Verifier] accepts.
type Config struct {
	// Issuer is the exact iss claim.
	Issuer string
	// JWKSURL is where the issuer's keys are, http or https, without user information.
	JWKSURL string
	// ClientIDs are the accepted app clients: client_id of access tokens, aud of ID tokens.
	ClientIDs []string
	// Uses are the accepted kinds, by the claim token_use: "access", "id".
	Uses []string
	// CAFile is a PEM file of the certificate authorities to trust for JWKSURL instead of the system's. Read once.
	CAFile string
	// MaxLifetime is what a token may have left of its life, less than this. 0: no limit.
	MaxLifetime time.Duration
	// ReadInterval is the time between two readings of the keys, and so how long a withdrawn one may still be accepted. Tokens of a new
	// one do not wait for it. 0: 5 minutes.
	ReadInterval time.Duration
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Logger is told of keys that were read and of failures to read them. nil: none.
	Logger *zap.Logger
	// Registerer takes the metrics. nil: none.
	Registerer prometheus.Registerer
	// Subsystem is what the metrics' names have after "adsidecar_": "users". Needed with a Registerer.
	Subsystem string
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	issuer      string
	clients     []string
	uses        []string
	maxLifetime time.Duration
	now         func() time.Time
	keys        *keys
	metrics     *metrics
}

// New returns a verifier that has no keys yet: [Verifier.Run] reads them. It reads the CA file and sends nothing; the error joins all
// that is wrong.
func New(cfg Config) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	target, urlErr := parseURL(cfg.JWKSURL)
	roots, caErr := web.Roots(cfg.CAFile)
	if err := errors.Join(cfg.validate(), urlErr, caErr); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Subsystem, cfg.Registerer)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		issuer:      cfg.Issuer,
		clients:     slices.Clone(cfg.ClientIDs),
		uses:        slices.Clone(cfg.Uses),
		maxLifetime: cfg.MaxLifetime,
		now:         cfg.Now,
		keys:        newKeys(newFetcher(target, roots).fetch, cfg.Now, cfg.Logger, m),
		metrics:     m,
	}
	if cfg.ReadInterval > 0 {
		v.keys.interval = cfg.ReadInterval
	}
	return v, nil
}

func (c *Config) validate() error {
	var errs []error
	if c.Issuer == "" {
		errs = append(errs, errors.New("issuer: is missing"))
	}
	if len(c.ClientIDs) == 0 || slices.Contains(c.ClientIDs, "") {
		errs = append(errs, errors.New("client ids: at least one is needed, and none may be empty"))
	}
	if len(c.Uses) == 0 {
		errs = append(errs, errors.New("uses: at least one is needed"))
	}
	for _, use := range c.Uses {
		if use != useAccess && use != useID {
			errs = append(errs, fmt.Errorf("uses: %q is neither access nor id", use))
		}
	}
	if c.Registerer != nil && c.Subsystem == "" {
		errs = append(errs, errors.New("subsystem: is missing"))
	}
	if c.MaxLifetime < 0 {
		errs = append(errs, fmt.Errorf("max lifetime: %s is negative", c.MaxLifetime))
	}
	return errors.Join(errs...)
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		// The cause quotes the URL.
		return nil, errors.New("jwks url: not an absolute http or https URL without user information (not shown: it may hold a secret)")
	}
	return u, nil
}

// Verify takes the value of the Authorization header: one token, raw or after "Bearer " or "bearer ", 16 KiB at most. A request with
// two such headers has none that counts: join them with a comma, which is refused here, or refuse them before.
//
// The error wraps [ErrUnauthorized], [ErrForbidden] or [ErrUnavailable] and says why in words that hold nothing of the token. Verify
// waits for the issuer, 5 s at most, where the token names a key that is not known; ctx ends only the waiting, as others may wait for
// the same answer. The groups belong to the caller.
func (v *Verifier) Verify(ctx context.Context, authorization string) (Claims, error) {
	c, err := v.verify(ctx, authorization)
	v.metrics.count(err)
	if err != nil {
		return Claims{}, err
	}
	return c, nil
}

func (v *Verifier) verify(ctx context.Context, authorization string) (Claims, error) {
	t, err := split(authorization)
	if err != nil {
		return Claims{}, err
	}
	compact := []byte(t.text)
	id := identify(compact)
	if c, ok := v.keys.cached(id); ok {
		// All else was checked when it was verified, and the clock has only gone on since.
		return c, v.checkExpiry(c)
	}
	kid, err := t.keyID()
	if err != nil {
		return Claims{}, err
	}
	set, key, err := v.keys.find(ctx, kid)
	if err != nil {
		return Claims{}, err
	}
	payload, err := jws.VerifyCompactFast(key, compact, jwa.RS256())
	if err != nil {
		return Claims{}, unauthorized("the signature is wrong") // the cause may quote the token
	}
	c, err := v.verifyClaims(payload)
	if err != nil {
		return Claims{}, err
	}
	set.verified.put(id, c)
	return c, nil
}

// Run reads the keys: at once, then every few minutes, and sooner after a failure. It returns nil when ctx is done. It may be called
// once.
func (v *Verifier) Run(ctx context.Context) error {
	v.keys.run(ctx)
	return nil
}

// Ready is nil once keys have been read, and from then on.
func (v *Verifier) Ready(context.Context) error { return v.keys.ready() }

func unauthorized(reason string) error { return fmt.Errorf("%w: %s", ErrUnauthorized, reason) }

func forbidden(reason string) error { return fmt.Errorf("%w: %s", ErrForbidden, reason) }
