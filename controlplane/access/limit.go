package access

import (
	"net/netip"
	"sync"
	"time"
)

// Failed sign-ins: so many at once, and in each minute as many again, one by one. The total stops guessing from many addresses; it is
// far above what people mistype.
const (
	failuresEach  = 10
	failuresTotal = 100
	failuresPer   = time.Minute
)

// sweepAt is when addresses that have nothing left to wait for are dropped. The total bounds the others to some 200.
const sweepAt = 1024

// bucket is a token bucket as one time (GCRA): when it will be empty again. The zero value is empty.
type bucket time.Time

// wait is how long until the bucket takes one more; not above 0: it takes it now.
func (b bucket) wait(now time.Time, size int) time.Duration {
	full := max(0, time.Time(b).Sub(now))
	return full + failuresPer/time.Duration(size) - failuresPer
}

func (b bucket) add(now time.Time, size int) bucket {
	at := time.Time(b)
	if at.Before(now) {
		at = now
	}
	return bucket(at.Add(failuresPer / time.Duration(size)))
}

func (b bucket) remove(size int) bucket {
	return bucket(time.Time(b).Add(-failuresPer / time.Duration(size)))
}

// limiter bounds failed sign-ins, for each client address and in total. It is safe for concurrent use.
type limiter struct {
	mu    sync.Mutex
	total bucket
	each  map[netip.Prefix]bucket
}

// take counts a sign-in as failed before it is tried, so that many at once are no way around the limit; forgive takes that back. A wait
// above 0 says that it is not to be tried, and for how long.
func (l *limiter) take(client netip.Addr, now time.Time) (wait time.Duration) {
	key := network(client)
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := max(l.each[key].wait(now, failuresEach), l.total.wait(now, failuresTotal)); wait > 0 {
		return wait
	}
	if len(l.each) >= sweepAt {
		for k, b := range l.each {
			if !time.Time(b).After(now) {
				delete(l.each, k)
			}
		}
	}
	l.total = l.total.add(now, failuresTotal)
	l.each[key] = l.each[key].add(now, failuresEach)
	return 0
}

// forgive is for a sign-in that did not fail.
func (l *limiter) forgive(client netip.Addr) {
	key := network(client)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total = l.total.remove(failuresTotal)
	if b, ok := l.each[key]; ok {
		l.each[key] = b.remove(failuresEach)
	}
}

// network is what counts as one client: an IPv4 address, an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of no address: the zero value, one for all
	return p
}
