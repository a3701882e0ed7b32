package token

import (
	"crypto/rsa"
	"errors"
	"maps"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// Sizes of the keys that are taken. Below, RS256 is not safe (RFC 7518, section 3.3); above, verifying takes milliseconds.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
	// maxKeys bounds the set. Cognito has two.
	maxKeys = 100
)

// keySet are the issuer's keys as they were read once, and the tokens that they verified. The keys do not change.
type keySet struct {
	byID     map[string]*rsa.PublicKey
	verified *cache
}

// parseKeys takes the keys of a JWKS that can have signed a token. Others are left out, as are entries that are no keys: the issuer may
// use them for something else. What is not said of a key (use, alg) is no reason against it, as in the gateway. Of keys with the same
// kid the first is taken. A set without one such key is an error: it is no answer of an issuer that signs.
func parseKeys(text []byte) (*keySet, error) {
	set, err := jwk.Parse(text, jwk.WithIgnoreParseError(true), jwk.WithMaxKeys(maxKeys))
	if err != nil {
		return nil, errors.New("not a JWKS") // the cause quotes it
	}
	byID := map[string]*rsa.PublicKey{}
	for i := range set.Len() {
		key, ok := set.Key(i)
		if !ok {
			break
		}
		id, public := signingKey(key)
		if _, taken := byID[id]; public == nil || taken {
			continue
		}
		byID[id] = public
	}
	if len(byID) == 0 {
		return nil, errors.New("the JWKS has no RSA key for signatures of RS256")
	}
	return &keySet{byID: byID, verified: newCache(cacheSize)}, nil
}

// signingKey returns nil for a key that is not taken.
func signingKey(key jwk.Key) (id string, public *rsa.PublicKey) {
	if _, ok := key.(jwk.RSAPublicKey); !ok { // a private one is not for publishing: whoever reads it can sign
		return "", nil
	}
	id, _ = key.KeyID()
	if use, ok := key.KeyUsage(); id == "" || (ok && use != string(jwk.ForSignature)) {
		return "", nil
	}
	if algorithm, ok := key.Algorithm(); ok && algorithm.String() != jwa.RS256().String() {
		return "", nil
	}
	public = new(rsa.PublicKey)
	if err := jwk.Export(key, public); err != nil {
		return "", nil
	}
	if bits := public.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return "", nil
	}
	return id, public
}

// same reports whether the keys are the same as those of other.
func (s *keySet) same(other *keySet) bool {
	return maps.EqualFunc(s.byID, other.byID, func(a, b *rsa.PublicKey) bool { return a.Equal(b) })
}

// ids are in order.
func (s *keySet) ids() []string { return slices.Sorted(maps.Keys(s.byID)) }
