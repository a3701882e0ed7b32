package access

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/internal/web"
)

// Paths of signing in and out.
const (
	// SessionPath answers GET with who is signed in, POST with a new session and DELETE with its end. POST takes {"token": …} or
	// {"username": …, "password": …} as JSON, or the same as a form with "next", the path to go to: then it answers with a redirect,
	// after a failure to SignInPath?error=CODE.
	SessionPath = "/api/v1/session"
	// SignOutPath takes the POST of a form, and redirects to SignInPath.
	SignOutPath = "/sign-out"
	// SignInPath is where browsers are sent that are not signed in, with "next" in the query. The page is the public handler's.
	SignInPath = "/sign-in"
)

const (
	maxSignInBody = 16 << 10
	// poolTimeout is for the user pool, with all that is tried again.
	poolTimeout = 10 * time.Second
)

// credentials are what is signed in with. It has no String, and is in no log.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Token    string `json:"token"`
}

// who is the answer to who is signed in.
type who struct {
	Identity
	// Expires is the session's end. Not with a bearer token, or without credentials.
	Expires *time.Time `json:"expires,omitempty"`
}

func (g *Guard) session(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.whoAmI(w, r)
	case http.MethodPost:
		g.signIn(w, r)
	case http.MethodDelete:
		g.signOut(w, r)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, DELETE")
		g.refuse(w, errNotAllowed)
	}
}

func (g *Guard) whoAmI(w http.ResponseWriter, r *http.Request) {
	a, err := g.authenticate(r)
	if err != nil {
		g.refuse(w, err)
		return
	}
	answer := who{Identity: a.identity}
	if a.ended != nil {
		answer.Expires = &a.until
	}
	g.write(w, http.StatusOK, answer)
}

func (g *Guard) signIn(w http.ResponseWriter, r *http.Request) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := media == "application/x-www-form-urlencoded"
	c, err := readCredentials(w, r, media)
	var answer who
	if err == nil {
		answer, err = g.openSession(w, r, c)
	}
	switch {
	case !form && err == nil:
		g.write(w, http.StatusOK, answer)
	case !form:
		g.refuse(w, err)
	case err == nil:
		http.Redirect(w, r, nextPath(r.PostForm.Get("next")), http.StatusSeeOther)
	default:
		p := problemOf(err)
		query := url.Values{"error": {p.body.Code}}
		if next := nextPath(r.PostForm.Get("next")); next != "/" {
			query.Set("next", next)
		}
		http.Redirect(w, r, SignInPath+"?"+query.Encode(), http.StatusSeeOther)
	}
}

// readCredentials reads one kind of them.
func readCredentials(w http.ResponseWriter, r *http.Request, media string) (c credentials, err error) {
	if web.Encoded(r.Header) {
		return credentials{}, errEncoded
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxSignInBody)
	switch media {
	case "application/json":
		err = json.UnmarshalRead(r.Body, &c, json.RejectUnknownMembers(true))
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
		c = credentials{r.PostForm.Get("username"), r.PostForm.Get("password"), r.PostForm.Get("token")}
	default:
		return credentials{}, errMediaType
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return credentials{}, errTooLarge
	case err != nil: // the cause quotes it
		return credentials{}, errNotJSON
	case c.Token == "" && c.Username == "" && c.Password == "", c.Token != "" && c.Username+c.Password != "":
		return credentials{}, errNotJSON
	}
	return c, nil
}

// openSession checks the credentials and sets the cookie. The log has no user name of a sign-in that failed: it may be the password, in
// the wrong field.
func (g *Guard) openSession(w http.ResponseWriter, r *http.Request, c credentials) (who, error) {
	if g.open() {
		return who{}, errNothingToDo
	}
	client := g.clientOf(r)
	var id string
	var expires time.Time
	s, err := g.check(r.Context(), client, c)
	if err == nil {
		g.endSession(r)
		id, expires, err = g.sessions.open(s)
	}
	var tooMany *limitedError
	switch {
	case errors.As(err, &tooMany): // has been logged until now
		return who{}, err
	case err != nil:
		level := zap.WarnLevel
		if problemOf(err).status >= http.StatusInternalServerError {
			level = zap.ErrorLevel
		}
		g.log.Log(level, "sign-in failed", zap.Stringer("client", client), zap.Error(err))
		return who{}, err
	}
	http.SetCookie(w, g.newCookie(id, int(sessionLife.Seconds())))
	g.log.Info("signed in", g.whoFields(s.identity, r)...)
	return who{Identity: s.identity, Expires: &expires}, nil
}

// check returns a session that is not open yet.
func (g *Guard) check(ctx context.Context, client netip.Addr, c credentials) (session, error) {
	if c.Token != "" {
		// A right token passes whatever failed before it: nobody guesses one, and so nobody is kept from using his.
		hash := hashOf(c.Token)
		if id, ok := g.file.current().find(hash); ok {
			return session{identity: id, token: hash}, nil
		}
		if _, wait := g.failures.try(client, "", g.now()); wait > 0 {
			return session{}, &limitedError{wait}
		}
		return session{}, errWrong
	}
	if g.passwords == nil {
		return session{}, errNoPasswords
	}
	attempt, wait := g.failures.try(client, c.Username, g.now())
	if wait > 0 {
		return session{}, &limitedError{wait}
	}
	s, err := g.askPool(ctx, c)
	switch {
	case err == nil:
		attempt.succeed(g.now())
	case problemOf(err).status >= http.StatusInternalServerError:
		attempt.forgive()
	case !errors.Is(err, account.ErrRefused):
		attempt.forgiveName()
	}
	return s, err
}

// askPool signs a user of the pool in.
func (g *Guard) askPool(ctx context.Context, c credentials) (session, error) {
	ctx, cancel := context.WithTimeout(ctx, poolTimeout)
	defer cancel()
	signedIn, err := g.passwords.Authenticate(ctx, c.Username, c.Password)
	if err != nil {
		return session{}, err
	}
	// The pool's word for it would be enough; its token has the groups, and is read in one way only.
	claims, err := g.tokens.Verify(ctx, signedIn.IDToken)
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return session{}, err
	case err != nil: // not the user's fault
		return session{}, fmt.Errorf("verify the token that the user pool gave: %s", err.Error())
	}
	id, err := g.member(claims)
	return session{identity: id}, err
}

// signedIn is the session of a request's cookie.
func (g *Guard) signedIn(r *http.Request) (session, bool) {
	cookies := r.CookiesNamed(g.cookie)
	if len(cookies) != 1 { // of two, one is somebody else's
		return session{}, false
	}
	s, ok := g.sessions.find(cookies[0].Value)
	if !ok || s.token == (secretHash{}) {
		return s, ok
	}
	if s.identity, ok = g.file.current().find(s.token); !ok { // withdrawn
		g.sessions.end(cookies[0].Value)
		return session{}, false
	}
	return s, true
}

func (g *Guard) endSession(r *http.Request) {
	for _, c := range r.CookiesNamed(g.cookie) {
		if id, ok := g.sessions.end(c.Value); ok {
			g.log.Info("signed out", g.whoFields(id, r)...)
		}
	}
}

func (g *Guard) signOut(w http.ResponseWriter, r *http.Request) {
	g.endSession(r)
	http.SetCookie(w, g.newCookie("", -1))
}

func (g *Guard) signOutForm(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		g.refuse(w, errNotAllowed)
		return
	}
	g.signOut(w, r)
	http.Redirect(w, r, SignInPath, http.StatusSeeOther)
}

func (g *Guard) newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: g.cookie, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// nextPath is where to go after signing in: a path of ours, else "/". Browsers take a backslash for a slash, and two slashes for the
// beginning of another site's name; they leave out tabs and line ends.
func nextPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2048 ||
		strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c == '\\' || c > '~' }) {
		return "/"
	}
	return next
}
