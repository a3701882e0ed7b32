package access

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// rule is a token bucket: so many at once, and then one more each refill.
type rule struct {
	size   int
	refill time.Duration
}

// kind is what failed sign-ins are counted by.
type kind uint8

const (
	// byNetwork is an IPv4 address or an IPv6 /64, what one subscriber has: whatever fails counts.
	byNetwork kind = iota
	// bySite is an IPv6 /48: whoever is given that much has 65,536 networks.
	bySite
	// byName is a user's name from one network, or one site. Cognito locks a user at the fifth wrong password in a row, and forgets them
	// after 15 minutes without one: four, and then one each hour or more, are never five in a row, however they are spaced. So nobody with
	// one network gets anybody locked.
	byName
	// byUser is a user's name from everywhere but where its friends are. There is room in it beside what two networks can do, as of a
	// stranger who has IPv4 and IPv6, at once and for as long as they like: it takes three or more of them to keep somebody out who comes
	// from where nobody of that name has been. It bounds the guesses at a password, by all the world: 12 at once, and 90 a day.
	//
	// The pool counts those of all networks together, and locks whoever they name, friends too: after 12 for 2 minutes, and for at most its
	// 15 where strangers of several networks take turns. Tokens of the file go on.
	byUser
	// byFriend takes the place of all others for a name from a network where it has signed in before, so that strangers are no concern of
	// it, also those beside it or behind the same proxy.
	byFriend
	// byStrangers is all passwords but friends'. It spares the user pool's quota, which a whole AWS account shares (120 a second, the
	// players' sign-ins included), and is far above what one network can fill.
	byStrangers
)

// rules are the limits of each kind. Cognito locks a user for 2^(n-5) seconds at the n-th wrong password in a row ("Lockout behavior for
// failed sign-in attempts" in its developer guide).
var rules = map[kind]rule{
	byNetwork:   {10, 6 * time.Second},
	bySite:      {40, 1500 * time.Millisecond},
	byName:      {4, 64 * time.Minute},
	byUser:      {12, 16 * time.Minute},
	byFriend:    {10, 6 * time.Second},
	byStrangers: {600, 100 * time.Millisecond},
}

// Bounds of memory, some 3 MB.
const (
	maxBuckets = 1 << 14
	maxFriends = 1000
)

// limitKey is one bucket. The name is kept as a hash: it may be a password that was typed into the wrong field.
type limitKey struct {
	kind    kind
	network netip.Prefix
	name    secretHash
}

// bucket is a token bucket as one time (GCRA): when it will be empty again. The zero value is empty.
type bucket time.Time

// wait is how long until the bucket takes one more; not above 0: it takes it now.
func (b bucket) wait(now time.Time, r rule) time.Duration {
	full := max(0, time.Time(b).Sub(now))
	return full + r.refill - time.Duration(r.size)*r.refill
}

func (b bucket) add(now time.Time, r rule) bucket {
	at := time.Time(b)
	if at.Before(now) {
		at = now
	}
	return bucket(at.Add(r.refill))
}

func (b bucket) remove(r rule) bucket { return bucket(time.Time(b).Add(-r.refill)) }

// limiter bounds failed sign-ins. No bucket is everybody's that one network can fill. It is safe for concurrent use.
type limiter struct {
	mu      sync.Mutex
	buckets map[limitKey]bucket
	friends map[limitKey]time.Time // by their last success
}

func newLimiter() *limiter {
	return &limiter{buckets: map[limitKey]bucket{}, friends: map[limitKey]time.Time{}}
}

// attempt is a sign-in that counts as failed until it is told otherwise, so that many at once are no way around the limit.
type attempt struct {
	limiter *limiter
	keys    []limitKey
	friend  limitKey
}

// try counts a sign-in: with a password of the user called name, or, where that is empty, with a token. A wait above 0 says that it is
// not to be tried, and for how long; then it counts for nothing.
func (l *limiter) try(client netip.Addr, name string, now time.Time) (a attempt, wait time.Duration) {
	a = attempt{limiter: l, keys: networks(client)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if name != "" {
		user := hashOf(strings.ToLower(name))
		a.friend = limitKey{byFriend, a.keys[0].network, user}
		if _, known := l.friends[a.friend]; known {
			a.keys = []limitKey{a.friend}
		} else {
			widest := a.keys[len(a.keys)-1].network
			a.keys = append(a.keys, limitKey{byName, widest, user}, limitKey{kind: byUser, name: user}, limitKey{kind: byStrangers})
		}
	}
	for _, k := range a.keys {
		wait = max(wait, l.buckets[k].wait(now, rules[k.kind]))
	}
	if wait > 0 {
		return attempt{}, wait
	}
	if len(l.buckets) >= maxBuckets {
		l.shrink(now)
	}
	for _, k := range a.keys {
		l.buckets[k] = l.buckets[k].add(now, rules[k.kind])
	}
	return a, 0
}

// forgive takes the attempt back: it was not the client's fault, or none.
func (a attempt) forgive() { a.take(func(limitKey) bool { return true }) }

// forgiveName takes it back as a guess of a name's password: none was judged, or it was right.
func (a attempt) forgiveName() {
	a.take(func(k limitKey) bool { return k.kind == byName || k.kind == byUser })
}

func (a attempt) take(which func(limitKey) bool) {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	for _, k := range a.keys {
		if b, there := a.limiter.buckets[k]; there && which(k) {
			a.limiter.buckets[k] = b.remove(rules[k.kind])
		}
	}
}

// succeed takes the attempt back, and makes its name a friend on its network.
func (a attempt) succeed(now time.Time) {
	a.forgive()
	if a.friend == (limitKey{}) {
		return
	}
	l := a.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	l.friends[a.friend] = now
	if len(l.friends) > maxFriends {
		delete(l.friends, slices.MinFunc(slices.Collect(maps.Keys(l.friends)), func(x, y limitKey) int {
			return l.friends[x].Compare(l.friends[y])
		}))
	}
}

// shrink drops the buckets that are empty, and if those are few, the half that would be the sooner: those with the least held against
// them.
func (l *limiter) shrink(now time.Time) {
	var full []time.Time
	for k, b := range l.buckets {
		if !time.Time(b).After(now) {
			delete(l.buckets, k)
		} else {
			full = append(full, time.Time(b))
		}
	}
	if len(full) <= maxBuckets/2 {
		return
	}
	slices.SortFunc(full, time.Time.Compare)
	middle := full[len(full)/2]
	for k, b := range l.buckets {
		if k.kind != byStrangers && !time.Time(b).After(middle) {
			delete(l.buckets, k)
		}
	}
}

// networks are the buckets of where a client is, the narrowest first.
func networks(a netip.Addr) []limitKey {
	a = a.Unmap()
	if !a.Is6() {
		p, _ := a.Prefix(a.BitLen()) // of no address: the zero value, one for all
		return []limitKey{{kind: byNetwork, network: p}}
	}
	network, _ := a.Prefix(64)
	site, _ := a.Prefix(48)
	return []limitKey{{kind: byNetwork, network: network}, {kind: bySite, network: site}}
}
