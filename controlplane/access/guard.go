package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"adsidecar/internal/account"
	"adsidecar/internal/hostname"
	"adsidecar/internal/token"
)

// Verifier verifies a user pool's tokens: *token.Verifier. The errors are those of package token.
type Verifier interface {
	Verify(ctx context.Context, authorization string) (token.Claims, error)
}

// Passwords signs in users of the pool whose tokens the Verifier takes, and never signs anybody up: *cognito.Pool. The errors are those
// of package account; none has a password or a token in its text.
type Passwords interface {
	Authenticate(ctx context.Context, username, password string) (account.Session, error)
}

// Config says who may do what. Without TokensFile and Tokens there are no credentials.
type Config struct {
	// Address is where the admin address listens, ip:port.
	Address string
	// Name is the name that clients call it by, beside localhost and its IP address. Empty: none.
	Name string
	// TLS says that clients reach it by TLS alone, and browsers are told to (HSTS). The cookie's name has the prefix __Host- then, and
	// beyond loopback, with which no site of a neighbouring name can set one for us.
	TLS bool

	// TokensFile has a line "name role token" for each token. Empty: no file. It is read again when it changes.
	TokensFile string
	// Tokens verifies a user pool's tokens; nil: none are taken. Who is in OperatorsGroup is an operator; who is in ViewersGroup and
	// not in that, a viewer.
	Tokens                       Verifier
	ViewersGroup, OperatorsGroup string
	// Passwords signs users of the pool in. Only with Tokens; nil: they sign in elsewhere and bring a token.
	Passwords Passwords

	// LocalUser is the system's user at the other end of a connection of this machine, "" if not known. nil: [LocalUser].
	LocalUser func(client, server netip.AddrPort) string
	// TrustedHops is how many proxies are in front, each of which appends to X-Forwarded-For whom it was asked by. 0: none, and the header
	// counts for nothing.
	TrustedHops int

	// Logger takes what goes wrong, and who signs in. nil: none.
	Logger *zap.Logger
	// Audit takes each write, made or tried by somebody who may. nil: Logger.
	Audit *zap.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Random makes the sessions' IDs. nil: crypto/rand.
	Random io.Reader
}

// Guard is safe for concurrent use. It runs nothing by itself.
type Guard struct {
	name         string
	cookie       string
	tls          bool
	file         *tokenFile
	tokens       Verifier
	viewers, ops string
	passwords    Passwords
	sessions     sessions
	failures     *limiter
	badTokens    *limiter // that are logged
	hops         int
	tokenCheck   time.Duration
	localUser    func(client, server netip.AddrPort) string
	log, changes *zap.Logger
	now          func() time.Time
}

// New reads the tokens' file. The error joins all that is wrong, and has nothing of a token.
func New(c Config) (*Guard, error) {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Audit == nil {
		c.Audit = c.Logger
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.LocalUser == nil {
		c.LocalUser = LocalUser
	}
	file, err := openTokenFile(c.TokensFile, c.Now, c.Logger)
	if err := errors.Join(c.validate(), err); err != nil {
		return nil, err
	}
	g := &Guard{
		name: c.Name, cookie: "adsidecar_session", tls: c.TLS, file: file, tokens: c.Tokens, viewers: c.ViewersGroup, ops: c.OperatorsGroup,
		passwords: c.Passwords, localUser: c.LocalUser, log: c.Logger, changes: c.Audit, now: c.Now,
		sessions: sessions{random: c.Random, now: c.Now, byID: map[secretHash]session{}},
		failures: newLimiter(), badTokens: newLimiter(), hops: c.TrustedHops, tokenCheck: tokenCheck,
	}
	// Beyond loopback browsers come by TLS in any case, ours or a proxy's: without it they would not keep the cookie at all.
	if address, _ := addressOf(c.Address); c.TLS || !address.Addr().IsLoopback() {
		g.cookie = "__Host-" + g.cookie
	}
	return g, nil
}

func (c *Config) validate() error {
	var errs []error
	address, ok := addressOf(c.Address)
	if !ok {
		errs = append(errs, errors.New("address: is not ip:port"))
	}
	if c.TokensFile == "" && c.Tokens == nil && !address.Addr().IsLoopback() {
		errs = append(errs, fmt.Errorf("address: %s is not a loopback address, and nobody's credentials are configured", c.Address))
	}
	if c.Name != "" && !hostname.Valid(c.Name) {
		errs = append(errs, errors.New("name: is not a host's name"))
	}
	if c.Tokens != nil && (c.ViewersGroup == "" || c.OperatorsGroup == "" || c.ViewersGroup == c.OperatorsGroup) {
		errs = append(errs, errors.New("groups: there must be two, for viewers and for operators"))
	}
	if c.TrustedHops < 0 {
		errs = append(errs, errors.New("trusted hops: are less than none"))
	}
	if c.Passwords != nil && c.Tokens == nil {
		errs = append(errs, errors.New("passwords: need a verifier of the tokens that they lead to"))
	}
	return errors.Join(errs...)
}

// open reports whether there are no credentials.
func (g *Guard) open() bool { return g.file.path == "" && g.tokens == nil }

// Handler answers signing in and out (see [SessionPath]), leaves to public what it has a pattern for, without credentials, and all else
// to protected, whose requests know by [From] who makes them. A pattern of "/" would make everything public.
//
// Those that public is meant for: /healthz and /readyz, [SignInPath] and what that page loads.
func (g *Guard) Handler(public *http.ServeMux, protected http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { g.refuse(w, errCrossOrigin) }))
	role := g.requireRole(g.audit(protected))
	inner := csrf.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := public.Handler(r); pattern != "" {
			public.ServeHTTP(w, r)
			return
		}
		if safe(r) && loadedElsewhere(csrf, r) {
			g.refuse(w, errCrossRead)
			return
		}
		switch r.URL.Path {
		case SessionPath:
			g.session(w, r)
		case SignOutPath:
			g.signOutForm(w, r)
		default:
			role.ServeHTTP(w, r)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if !g.ours(r) {
			g.refuse(w, errMisdirected)
			return
		}
		if g.tls && !onLocalhost(r) {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		inner.ServeHTTP(w, r)
	})
}

// loadedElsewhere reports whether a browser reads for a page of another origin. That page would not see the answer, but could make us
// work for it. Whoever follows a link from there to a page of ours is the one to read it; no frame is, as none may hold our pages.
func loadedElsewhere(csrf *http.CrossOriginProtection, r *http.Request) bool {
	as := r.WithContext(r.Context()) // a copy: a method that only reads is not checked
	as.Method = http.MethodPost
	if csrf.Check(as) == nil {
		return false
	}
	dest := r.Header.Get("Sec-Fetch-Dest")
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || dest != "" && dest != "document"
}

// MetricsOnly answers GET and HEAD of /metrics without credentials: for an address of its own.
func MetricsOnly(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		mux.ServeHTTP(w, r)
	})
}

// contentPolicy lets a page load what is ours and send forms to us, and no other page hold it in a frame.
const contentPolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// setHeaders sets what every answer has. A handler whose answer may be kept says so itself.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// With no-referrer a browser would send "Origin: null" with our own forms, which is another origin.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
