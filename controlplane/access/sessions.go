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
	// maxSessions bounds them all, and maxSessionsEach those of one person, so that nobody's many sign-ins push out others. Operators are
	// few. The one that ends first makes room.
	maxSessions     = 1000
	maxSessionsEach = 20
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
	// ended is closed when the session is dropped. One that is over may be dropped later.
	ended chan struct{}
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
	s.expires, s.ended = now.Add(sessionLife), make(chan struct{})
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.makeRoom(now, func(o session) bool { return o.identity.Name == s.identity.Name && o.identity.Via == s.identity.Via }, maxSessionsEach)
	ss.makeRoom(now, func(session) bool { return true }, maxSessions)
	ss.byID[hashOf(id)] = s
	return id, s.expires, nil
}

// makeRoom leaves room for one more among those that count: it drops those that are over, and the one that is next if need be.
func (ss *sessions) makeRoom(now time.Time, counts func(session) bool, most int) {
	var next secretHash
	var soonest time.Time
	n := 0
	for id, s := range ss.byID {
		switch {
		case !now.Before(s.expires):
			ss.drop(id)
		case counts(s):
			n++
			if soonest.IsZero() || s.expires.Before(soonest) {
				next, soonest = id, s.expires
			}
		}
	}
	if n >= most {
		ss.drop(next)
	}
}

// drop ends a session that is there, and the requests under way that came with it.
func (ss *sessions) drop(key secretHash) {
	close(ss.byID[key].ended)
	delete(ss.byID, key)
}

func (ss *sessions) find(id string) (session, bool) {
	key := hashOf(id)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, ok := ss.byID[key]
	if ok && !ss.now().Before(s.expires) {
		ss.drop(key)
		return session{}, false
	}
	return s, ok
}

// end reports who was signed in with it.
func (ss *sessions) end(id string) (Identity, bool) {
	key := hashOf(id)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, ok := ss.byID[key]
	if ok {
		ss.drop(key)
	}
	return s.identity, ok && ss.now().Before(s.expires)
}
