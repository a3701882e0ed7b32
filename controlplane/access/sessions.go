package access

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"sync"
	"time"
)

const (
	// sessionLife is how long a sign-in lasts.
	sessionLife = 8 * time.Hour
	// maxSessions bounds them all: operators are few. The one that ends first makes room.
	maxSessions = 1000
	// idBytes of randomness are in a session's ID.
	idBytes = 32
)

// secretHash stands for a token or a session's ID without keeping it.
type secretHash [sha256.Size]byte

func hashOf(secret string) secretHash { return sha256.Sum256([]byte(secret)) }

// session is a signed-in browser.
type session struct {
	identity Identity
	// token is the file's token that it was opened with; the zero value for a user of the pool. The session ends with it.
	token   secretHash
	expires time.Time
}

// sessions are kept in memory: a restart signs everybody out. They are found by the hash of their ID, which is nowhere. It is safe for
// concurrent use.
type sessions struct {
	random io.Reader
	now    func() time.Time

	mu   sync.Mutex
	byID map[secretHash]session
}

// open keeps s until its time is over, and returns its ID: the content of the cookie.
func (ss *sessions) open(s session) (id string, expires time.Time, err error) {
	var raw [idBytes]byte
	if _, err := io.ReadFull(ss.random, raw[:]); err != nil {
		return "", time.Time{}, err
	}
	id = base64.RawURLEncoding.EncodeToString(raw[:])
	now := ss.now()
	s.expires = now.Add(sessionLife)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.byID) >= maxSessions {
		ss.makeRoom(now)
	}
	ss.byID[hashOf(id)] = s
	return id, s.expires, nil
}

// makeRoom drops all that are over, or the one that is next.
func (ss *sessions) makeRoom(now time.Time) {
	var next secretHash
	var soonest time.Time
	for id, s := range ss.byID {
		if !now.Before(s.expires) {
			delete(ss.byID, id)
		} else if soonest.IsZero() || s.expires.Before(soonest) {
			next, soonest = id, s.expires
		}
	}
	if len(ss.byID) >= maxSessions {
		delete(ss.byID, next)
	}
}

func (ss *sessions) find(id string) (session, bool) {
	key := hashOf(id)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, ok := ss.byID[key]
	if ok && !ss.now().Before(s.expires) {
		delete(ss.byID, key)
		return session{}, false
	}
	return s, ok
}

// end reports who was signed in with it.
func (ss *sessions) end(id string) (Identity, bool) {
	s, ok := ss.find(id)
	if !ok {
		return Identity{}, false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byID, hashOf(id))
	return s.identity, true
}
