package compile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// Served is which ads an index serves, by hashes of their ids, and the last minute in which it does: 20 to 40 bytes an ad, however large
// the index. It is read-only. The zero value is an index without ads.
type Served struct {
	last map[uint64]int64
	end  int64 // of the horizon, as a Unix minute; 0: there is none
}

// idSeed is that of the hashes, which never leave the process.
var idSeed = maphash.MakeSeed()

// ServedBy reads an index, which adindex.Open must accept, and keeps none of its bytes. It takes time linear in their length.
func ServedBy(index []byte) (*Served, error) {
	r, err := adindex.Open(index)
	if err != nil {
		return nil, err
	}
	body := func(ad uint32) []byte { return r.Body(adindex.AdRef(ad)) }
	if err := r.CheckBodies(adrequest.Checker(body)); err != nil {
		return nil, err
	}
	s := &Served{last: make(map[uint64]int64, r.Ads())}
	if end, ok := r.Horizon(); ok {
		s.end = end
	}
	var answer []byte
	for ad, last := range r.LastMinutes() {
		if last == adindex.Never {
			continue
		}
		answer = AppendAnswer(answer[:0], r, adindex.AdRef(ad))
		id, err := idOf(answer)
		if err != nil {
			return nil, fmt.Errorf("ad %d: %w", ad, err)
		}
		s.last[maphash.Bytes(idSeed, id)] = last
	}
	return s, nil
}

// idOf returns the id in an answer as it stands between the quotes. Equal ids stand there alike, as adrequest writes them all.
func idOf(answer []byte) ([]byte, error) {
	id, ok := bytes.CutPrefix(answer, []byte(`{"id":"`))
	for i := 0; ok && i < len(id); i++ {
		switch id[i] {
		case '\\':
			i++
		case '"':
			return id[:i], nil
		}
	}
	return nil, errors.New("no answer with an id")
}

// Knows tells whether the index was compiled for that time or a later one. What it serves after its horizon lacks every flight that ends.
func (s *Served) Knows(now time.Time) bool { return s.end == 0 || floorDiv(now.Unix(), 60) < s.end }

// Removed compares what is served from a time on, then or later: served counts the ads of s, removed those of them that after does not
// serve any more.
func (s *Served) Removed(after *Served, now time.Time) (removed, served int) {
	minute := floorDiv(now.Unix(), 60)
	for id, last := range s.last {
		if last < minute {
			continue
		}
		served++
		if left, there := after.last[id]; !there || left < minute {
			removed++
		}
	}
	return removed, served
}
