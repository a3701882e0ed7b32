package access

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"adsidecar/internal/token"
)

// localName is who makes requests without credentials.
const localName = "local"

// safe reports whether a request changes nothing.
func safe(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// byBrowser reports whether the answer will be shown as a page.
func byBrowser(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// requireRole lets those pass whose role the method takes, with their identity in the context. A browser that shows pages is sent to
// the sign-in page; one that sends a form gets it back.
func (g *Guard) requireRole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := g.authenticate(r)
		switch {
		case errors.Is(err, errUnauthorized) && safe(r) && byBrowser(r):
			http.Redirect(w, r, SignInPath+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		case errors.Is(err, errUnauthorized) && byBrowser(r):
			g.signedOut(w, r)
			return
		case err == nil && a.identity.Role < Operator && !safe(r):
			g.logRefused(r, a.identity)
			err = errReadOnly
		}
		if err != nil {
			g.refuse(w, err)
			return
		}
		ctx, cancel := g.during(r.Context(), a)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(with(ctx, a.identity)))
	})
}

// authenticate returns somebody with a role, or an error for [Guard.refuse].
func (g *Guard) authenticate(r *http.Request) (grant, error) {
	if g.open() {
		if proxied(r) {
			return grant{}, errProxied
		}
		return grant{identity: g.local(r)}, nil
	}
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		if len(headers) > 1 {
			return grant{}, errUnauthorized
		}
		secret, err := bearer(headers[0])
		if err != nil {
			return grant{}, err
		}
		a, err := g.byToken(r, secret)
		if err != nil {
			g.logToken(r, err)
		}
		return a, err
	}
	if s, ok := g.signedIn(r); ok {
		return grant{identity: s.identity, until: s.expires, ended: s.ended, token: s.token}, nil
	}
	return grant{}, errUnauthorized
}

// bearer is the token of an Authorization header.
func bearer(header string) (string, error) {
	const scheme = "Bearer "
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", errUnauthorized
	}
	return header[len(scheme):], nil
}

// byToken finds the owner of a token of the file, or of the user pool.
//
// There is no limit of wrong ones, as there is for signing in: none could hold back a guess of 32 characters without the owner of a right
// one, who may be at the same address, paying for it.
func (g *Guard) byToken(r *http.Request, secret string) (grant, error) {
	hash := hashOf(secret)
	if id, ok := g.file.current().find(hash); ok {
		return grant{identity: id, token: hash}, nil
	}
	if g.tokens == nil {
		return grant{}, errUnauthorized
	}
	claims, err := g.tokens.Verify(r.Context(), "Bearer "+secret)
	if err != nil {
		if errors.Is(err, token.ErrUnavailable) {
			g.log.Error("tokens cannot be verified", zap.Error(err))
		}
		return grant{}, err
	}
	id, err := g.member(claims)
	return grant{identity: id, until: claims.TakenUntil()}, err
}

// logToken logs a token that was not taken, of each client no more often than it may fail to sign in.
func (g *Guard) logToken(r *http.Request, err error) {
	client := g.clientOf(r)
	if _, wait := g.badTokens.try(client, "", g.now()); wait <= 0 {
		g.log.Warn("token refused", zap.Stringer("client", client), zap.Error(err))
	}
}

// maxName is how long a user's name may be, in bytes: what the history takes. The pool's names have up to 128 characters.
const maxName = 256

// member is a user of the pool, in the role of its groups. Its name alone stands in the history: one that somebody else has there who is
// no user of the pool is refused.
func (g *Guard) member(claims token.Claims) (Identity, error) {
	id := Identity{Name: claims.Username, Via: ViaCognito}
	if id.Name == "" {
		id.Name = claims.Subject
	}
	switch {
	case slices.Contains(claims.Groups, g.ops):
		id.Role = Operator
	case slices.Contains(claims.Groups, g.viewers):
		id.Role = Viewer
	default:
		return Identity{}, errNoMember
	}
	first, _, _ := strings.Cut(id.Name, ":")
	switch {
	case len(id.Name) > maxName:
		return Identity{}, errNameLong
	case strings.EqualFold(first, localName), g.file.current().name(id.Name):
		return Identity{}, errNameTaken
	}
	return id, nil
}

// local is whoever is on this machine. Which user that is matters for what the audit tells, and for pages that show who it will tell.
func (g *Guard) local(r *http.Request) Identity {
	id := Identity{Name: localName, Role: Operator, Via: ViaLoopback}
	if safe(r) && r.URL.Path != SessionPath && !byBrowser(r) {
		return id
	}
	client, known := addressOf(r.RemoteAddr)
	server, ok := localAddress(r)
	if known && ok {
		if user := g.localUser(client, server); user != "" {
			id.Name += ":" + user
		}
	}
	return id
}
