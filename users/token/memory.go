package token

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// memorySize is after how many tokens the older half is forgotten.
const memorySize = 4096

// tokenID stands for a token without keeping it: SHA-256.
type tokenID [sha256.Size]byte

func identify(token []byte) tokenID { return sha256.Sum256(token) }

// memory remembers the claims of the tokens that a set of keys verified: verifying costs about ten times as much as looking it up
// (BenchmarkVerify). It is bounded by being two generations: a full young one becomes the old one, and what is used of the old one
// becomes young again. It is safe for concurrent use.
type memory struct {
	size int

	mu         sync.Mutex
	young, old map[tokenID]Claims
}

// newMemory returns a memory of at least size tokens, and at most twice as many.
func newMemory(size int) *memory { return &memory{size: size, young: map[tokenID]Claims{}} }

// get returns claims that belong to the caller.
func (m *memory) get(id tokenID) (Claims, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.young[id]
	if !ok {
		if c, ok = m.old[id]; !ok {
			return Claims{}, false
		}
		m.add(id, c)
	}
	c.Groups = slices.Clone(c.Groups)
	return c, true
}

// put keeps a copy of the claims.
func (m *memory) put(id tokenID, c Claims) {
	c.Groups = slices.Clone(c.Groups)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(id, c)
}

func (m *memory) add(id tokenID, c Claims) {
	if len(m.young) >= m.size {
		m.young, m.old = make(map[tokenID]Claims, m.size), m.young
	}
	m.young[id] = c
}
