package api

import (
	"fmt"
	"sync"

	"adsidecar/controlplane/access"
)

// maxStreamsEach bounds the streams of one person, so that nobody's keep others from theirs. Without credentials all are one person, who
// has them all.
const maxStreamsEach = 16

var (
	errStreams     = unavailable("too_many_streams", "There are as many streams of events as there may be. Try again.")
	errStreamsEach = unavailable("too_many_streams",
		fmt.Sprintf("You have %d streams of events, as many as one may have: close a page that you do not need.", maxStreamsEach))
)

// streams bounds the streams of events, all and those of each person. It is safe for concurrent use.
type streams struct {
	most int

	mu  sync.Mutex
	all int
	of  map[person]int // without those that have none
}

// person is somebody by name, in whatever role.
type person struct{ name, via string }

func newStreams(most int) *streams { return &streams{most: most, of: map[person]int{}} }

// enter counts a stream of id's until leave is called, once. The error is errStreams or errStreamsEach.
func (s *streams) enter(id access.Identity) (leave func(), err error) {
	p := person{id.Name, id.Via}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case id.Via != access.ViaLoopback && s.of[p] >= maxStreamsEach:
		return nil, errStreamsEach
	case s.all >= s.most:
		return nil, errStreams
	}
	s.all++
	s.of[p]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[p]--; s.of[p] == 0 {
			delete(s.of, p)
		}
	}, nil
}
