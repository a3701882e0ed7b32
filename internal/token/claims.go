package token

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Values of the claim token_use.
const (
	useAccess = "access"
	useID     = "id"
)

// lastSecond is 9999-12-31T23:59:59Z: later dates have no RFC 3339 form, and are nobody's expiry.
const lastSecond = 253402300799

// verifyClaims checks the claims of a payload whose signature is right. A claim that is needed and missing, or has another type than
// Cognito gives it, makes the token malformed; a well-formed one of another client or kind is forbidden.
func (v *Verifier) verifyClaims(text []byte) (Claims, error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return Claims{}, unauthorized("the payload is not a JSON object with unique names") // the cause quotes it
	}
	issuer, err := p.text("iss")
	if err != nil {
		return Claims{}, err
	}
	if issuer != v.issuer {
		return Claims{}, unauthorized("the token is of another issuer")
	}
	expires, err := v.checkTimes(p)
	if err != nil {
		return Claims{}, err
	}
	subject, err := p.text("sub")
	if err != nil {
		return Claims{}, err
	}
	groups, err := p.list("cognito:groups")
	if err != nil {
		return Claims{}, err
	}
	if err := v.checkClient(p); err != nil {
		return Claims{}, err
	}
	return Claims{Subject: subject, Username: p.username(), Groups: groups, Expires: expires}, nil
}

// checkTimes returns exp.
func (v *Verifier) checkTimes(p payload) (time.Time, error) {
	expires, found, err := p.date("exp")
	if err != nil {
		return time.Time{}, err
	}
	if !found {
		return time.Time{}, unauthorized("the claim exp is missing")
	}
	if err := v.checkExpiry(Claims{Expires: expires}); err != nil {
		return time.Time{}, err
	}
	now := v.now()
	if v.maxLifetime > 0 && expires.Sub(now) >= v.maxLifetime {
		return time.Time{}, unauthorized("the token lives longer than is accepted")
	}
	for _, name := range []string{"nbf", "iat"} {
		from, _, err := p.date(name)
		if err != nil {
			return time.Time{}, err
		}
		if from.After(now.Add(clockSkew)) {
			return time.Time{}, unauthorized("the token is not valid yet")
		}
	}
	return expires, nil
}

func (v *Verifier) checkExpiry(c Claims) error {
	if v.now().After(c.TakenUntil()) {
		return unauthorized("the token is expired")
	}
	return nil
}

// checkClient checks kind and client. Cognito's ID tokens name the client as aud, its access tokens as client_id.
func (v *Verifier) checkClient(p payload) error {
	use, err := p.text("token_use")
	if err != nil {
		return err
	}
	if !slices.Contains(v.uses, use) {
		return forbidden("this kind of token is not accepted")
	}
	name := "client_id"
	if use == useID {
		name = "aud"
	}
	client, err := p.text(name)
	if err != nil {
		return err
	}
	if !slices.Contains(v.clients, client) {
		return forbidden("the token is of another client")
	}
	return nil
}

// payload has a token's claims. A claim that is null is there, and has the wrong type.
type payload map[string]any

// text returns a claim that must be there: a string, not empty.
func (p payload) text(name string) (string, error) {
	s, ok := p[name].(string)
	if !ok || s == "" {
		return "", unauthorized(fmt.Sprintf("the claim %s is not a string that says something", name))
	}
	return s, nil
}

// username returns what the issuer calls the user. Nothing is decided by it: one that is not a text is as good as none.
func (p payload) username() string {
	name := "username"
	if p["token_use"] == useID {
		name = "cognito:username"
	}
	s, _ := p[name].(string)
	return s
}

// list returns a claim that may be missing: a list of strings.
func (p payload) list(name string) ([]string, error) {
	value, found := p[name]
	if !found {
		return nil, nil
	}
	wrong := func() ([]string, error) {
		return nil, unauthorized(fmt.Sprintf("the claim %s is not a list of strings", name))
	}
	values, ok := value.([]any)
	if !ok {
		return wrong()
	}
	list := make([]string, len(values))
	for i := range values {
		if list[i], ok = values[i].(string); !ok {
			return wrong()
		}
	}
	return list, nil
}

// date returns a claim that may be missing: seconds since 1970, with or without a fraction (RFC 7519, NumericDate).
func (p payload) date(name string) (at time.Time, found bool, err error) {
	value, found := p[name]
	if !found {
		return time.Time{}, false, nil
	}
	seconds, ok := value.(float64)
	if !ok || seconds < 0 || seconds > lastSecond {
		return time.Time{}, true, unauthorized(fmt.Sprintf("the claim %s is not a date", name))
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)), true, nil
}
