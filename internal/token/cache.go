package token

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// cacheSize is after how many tokens the older half is forgotten.
const cacheSize = 4096

// tokenID stands for a token without keeping it: SHA-256.
type tokenID [sha256.Size]byte

func identify(token []byte) tokenID { return sha256.Sum256(token) }

// cache keeps the claims of the tokens that a set of keys verified: verifying costs about ten times as much as looking it up
// (BenchmarkVerify). It is bounded by being two generations: a full young one becomes the old one, and what is used of the old one
// becomes young again. It is safe for concurrent use.
type cache struct {
	size int

	mu         sync.Mutex
	young, old map[tokenID]Claims
}

// newCache returns a cache of at least size tokens, and at most twice as many.
func newCache(size int) *cache { return &cache{size: size, young: map[tokenID]Claims{}} }

// get returns claims that belong to the caller.
func (c *cache) get(id tokenID) (Claims, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	claims, ok := c.young[id]
	if !ok {
		if claims, ok = c.old[id]; !ok {
			return Claims{}, false
		}
		c.add(id, claims)
	}
	claims.Groups = slices.Clone(claims.Groups)
	return claims, true
}

// put keeps a copy of the claims.
func (c *cache) put(id tokenID, claims Claims) {
	claims.Groups = slices.Clone(claims.Groups)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(id, claims)
}

func (c *cache) add(id tokenID, claims Claims) {
	if len(c.young) >= c.size {
		c.young, c.old = make(map[tokenID]Claims, c.size), c.young
	}
	c.young[id] = claims
}
