package xds

import (
	"context"
	"maps"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"adsidecar/envoy"
)

// maxNonces bounds the unanswered responses that are remembered for one type on one stream. An Envoy answers each response before
// it is sent the next; only requests that change its subscriptions can make more.
const maxNonces = 16

// A session is one delta ADS stream. It is the cache and the callbacks of a go-control-plane server of its own, so that whatever
// happens on the stream is known to belong to it. All fields are guarded by the mutex of the Server but for srv, id, address and
// opened, which never change, and asked.
type session struct {
	srv     *Server
	id      uint64
	address string
	opened  time.Time

	known    bool // a request was received, and with it the node
	node     node
	lastSeen time.Time
	closed   time.Time // zero while connected
	subs     [kindCount]*subscription

	asked asked // of the stream's goroutine alone
}

// A subscription is what a session wants and holds of one type.
type subscription struct {
	wildcard bool
	names    map[string]struct{}
	claims   map[string]string // what the Envoy said when it connected that it holds; nil once it was sent something
	out      chan<- cache.DeltaResponse
	request  *cache.DeltaRequest
	sub      cache.Subscription // valid while out is set
	// queued is handed to go-control-plane and not sent yet: at most one response.
	queued  map[*discoveryv3.DeltaDiscoveryResponse]*offer
	nonces  []sent
	greeted bool // something was sent or queued

	sentVersion  string
	acked        string // the version that the Envoy runs, as far as it said
	answeredSeq  uint64 // of the offer that it answered last
	lastAck      time.Time
	nack         nack
	inSync       bool
	inSyncChange time.Time
}

type sent struct {
	nonce string
	offer *offer
}

// A nack is the last rejection on a stream. It is current until the Envoy acknowledges what it was sent afterwards.
type nack struct {
	at      time.Time
	version string // empty: of an unknown nonce
	text    string
	current bool
}

var (
	_ cache.ConfigWatcher = (*session)(nil)
	_ delta.Callbacks     = (*session)(nil)
)

// CreateDeltaWatch is called by the stream's goroutine for each request, after the watch of the request before it was cancelled.
func (s *session) CreateDeltaWatch(req *cache.DeltaRequest, sub cache.Subscription, out chan cache.DeltaResponse) (func(), error) {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()

	now := s.srv.now()
	s.lastSeen = now
	if !s.known {
		s.srv.introduce(s, req.GetNode())
	}
	k, ok := kindOf(req.GetTypeUrl())
	if !ok {
		// Nothing of this type is served. An error would end the stream, and with it the types that are.
		return nil, nil
	}
	st := s.subs[k]
	if st == nil {
		st = &subscription{queued: make(map[*discoveryv3.DeltaDiscoveryResponse]*offer), inSyncChange: now}
		s.subs[k] = st
	}
	// Copies: go-control-plane changes its maps once this watch is cancelled.
	st.wildcard, st.names = sub.IsWildcard(), maps.Clone(sub.SubscribedResources())
	if !st.greeted {
		st.claims = maps.Clone(sub.ReturnedResources())
	}
	s.srv.claimed(st, k)
	s.srv.answered(s, k, req)
	st.request, st.sub, st.out = req, sub, out
	s.respond(k)
	st.refresh(s.srv.verdicts[k].offered, now)

	return func() {
		s.srv.mu.Lock()
		defer s.srv.mu.Unlock()
		// After this the channel may be closed, and the subscription's maps change.
		st.unwatch()
	}, nil
}

// respond sends what brings the stream up to date, if it waits for something and there is something. It never blocks.
func (s *session) respond(k kind) {
	st, o := s.subs[k], s.srv.verdicts[k].offered
	if st == nil || st.out == nil || o == nil || len(st.queued) > 0 {
		// What is queued will be sent and answered, and the answer asks again.
		return
	}
	d := o.difference(k, st.sub)
	// An Envoy that subscribes to all listeners or clusters starts only when it was told of them, even if there are none.
	greeting := st.wildcard && k.removes() && !st.greeted && len(st.claims) == 0
	if len(d.changed) == 0 && len(d.removed) == 0 && !greeting {
		return
	}
	response := &discoveryv3.DeltaDiscoveryResponse{
		TypeUrl:           k.typeURL(),
		SystemVersionInfo: o.version,
		Resources:         d.changed,
		RemovedResources:  d.removed,
	}
	select {
	case st.out <- &cache.DeltaPassthroughResponse{DeltaRequest: st.request, NextVersionMap: d.next, DeltaDiscoveryResponse: response}:
		st.queued[response] = o
		st.claims, st.greeted = nil, true
		st.unwatch()
	default:
		// Not reached while go-control-plane has room for one response of each type. The watch stays open.
	}
}

func (st *subscription) unwatch() { st.request, st.sub, st.out = nil, nil, nil }

// claim tells whether the Envoy said when it connected that it holds the offer, and takes note of the index that it holds.
func (st *subscription) claim(k kind, o *offer) bool {
	if o != nil && o.heldBy(k, st.claims) {
		st.acked, st.answeredSeq = o.version, o.seq
		return true
	}
	if k == ecds && len(st.claims) == 1 {
		for _, version := range st.claims {
			st.acked = clip(version, maxText)
		}
	}
	return false
}

// wants tells whether the Envoy subscribed to something of the offer.
func (st *subscription) wants(o *offer) bool {
	if st == nil || o == nil {
		return false
	}
	if st.wildcard {
		return true
	}
	for _, name := range o.names {
		if _, ok := st.names[name]; ok {
			return true
		}
	}
	return false
}

// owes tells whether the Envoy was sent the offer's version, or is about to be, and has not answered it.
func (st *subscription) owes(o *offer) bool {
	for _, s := range st.nonces { // those that were answered are gone
		if s.offer != nil && s.offer.version == o.version {
			return true
		}
	}
	for _, queued := range st.queued {
		if queued.version == o.version {
			return true
		}
	}
	return false
}

// refresh notes whether the Envoy runs what is on offer, and since when.
func (st *subscription) refresh(o *offer, now time.Time) {
	inSync := !st.nack.current && (!st.wants(o) || st.acked == o.version)
	if inSync != st.inSync {
		st.inSync, st.inSyncChange = inSync, now
	}
}

// carried removes nonce and those before it, which the Envoy will not answer any more, and returns the offer that it carried; nil for
// an unknown nonce.
func (st *subscription) carried(nonce string) *offer {
	for i, s := range st.nonces {
		if s.nonce == nonce {
			st.nonces = append([]sent(nil), st.nonces[i+1:]...)
			return s.offer
		}
	}
	return nil
}

// OnStreamDeltaResponse is called by the stream's goroutine right before the response is sent.
func (s *session) OnStreamDeltaResponse(_ int64, _ *cache.DeltaRequest, response *discoveryv3.DeltaDiscoveryResponse) {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	k, ok := kindOf(response.GetTypeUrl())
	if !ok {
		return
	}
	st := s.subs[k]
	if len(st.nonces) == maxNonces {
		st.nonces = st.nonces[1:]
	}
	st.nonces = append(st.nonces, sent{nonce: response.GetNonce(), offer: st.queued[response]})
	st.sentVersion = response.GetSystemVersionInfo()
	delete(st.queued, response)
	s.srv.metrics.pushes[k].Inc()
}

// OnDeltaStreamClosed is called when the stream has ended, after its watches were cancelled.
func (s *session) OnDeltaStreamClosed(int64, *corev3.Node) { s.srv.close(s) }

// OnDeltaStreamOpen does nothing: a stream counts once it has sent a request.
func (s *session) OnDeltaStreamOpen(context.Context, int64, string) error { return nil }

// OnStreamDeltaRequest is called by the stream's goroutine before anything of the request is kept. It drops what nobody reads of the node,
// which go-control-plane keeps as long as the stream: the list of the extensions that are built into an Envoy, 140 KB in version 1.40, and
// the metadata but for one entry. An error ends the stream.
func (s *session) OnStreamDeltaRequest(_ int64, req *cache.DeltaRequest) error {
	if n := req.GetNode(); n != nil {
		n.Extensions, n.DynamicParameters = nil, nil
		if format, ok := n.GetMetadata().GetFields()[envoy.FormatKey]; ok {
			n.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{envoy.FormatKey: format}}
		} else {
			n.Metadata = nil
		}
	}
	return s.asked.count(req)
}

// Limits of what one stream may ask for. An Envoy asks for three types that are served, and for one name of the index.
const (
	maxTypes = 32
	maxNames = 10_000
)

// asked is what go-control-plane keeps of a stream's requests as long as it lasts.
type asked struct {
	types map[string]struct{}
	names int
}

func (a *asked) count(req *cache.DeltaRequest) error {
	a.names += len(req.GetResourceNamesSubscribe()) + len(req.GetInitialResourceVersions())
	if a.names > maxNames {
		return status.Errorf(codes.ResourceExhausted, "more than %d resources are asked for on one stream", maxNames)
	}
	if a.types == nil {
		a.types = map[string]struct{}{}
	}
	a.types[req.GetTypeUrl()] = struct{}{}
	if len(a.types) > maxTypes {
		return status.Errorf(codes.ResourceExhausted, "more than %d types are asked for on one stream", maxTypes)
	}
	return nil
}

// CreateWatch refuses: see the package comment.
func (s *session) CreateWatch(*cache.Request, cache.Subscription, chan cache.Response) (func(), error) {
	return nil, errStateOfTheWorld
}
