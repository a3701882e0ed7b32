package xds

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/structpb"

	"adsidecar/envoy"
)

// maxText bounds, in bytes, each text that comes from an Envoy: it is kept, logged and shown.
const maxText = 4096

// A fleet is the Envoys that are connected, and those that were not long ago.
type fleet struct {
	last      uint64 // session number
	connected map[uint64]*session
	gone      []*session // in order of closing
	keep      int
	keepFor   time.Duration
}

// A node is what an Envoy says of itself.
type node struct {
	id, cluster, userAgent, format string
}

func newNode(n *corev3.Node) node {
	agent := n.GetUserAgentName()
	if v := n.GetUserAgentBuildVersion().GetVersion(); v != nil {
		agent += "/" + strconv.FormatUint(uint64(v.GetMajorNumber()), 10) + "." +
			strconv.FormatUint(uint64(v.GetMinorNumber()), 10) + "." + strconv.FormatUint(uint64(v.GetPatch()), 10)
	} else if v := n.GetUserAgentVersion(); v != "" {
		agent += "/" + v
	}
	return node{
		id: clip(n.GetId(), maxText), cluster: clip(n.GetCluster(), maxText), userAgent: clip(agent, maxText),
		format: metadataText(n.GetMetadata().GetFields()[envoy.FormatKey]),
	}
}

func metadataText(v *structpb.Value) string {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return clip(kind.StringValue, maxText)
	case *structpb.Value_NumberValue:
		return strconv.FormatFloat(kind.NumberValue, 'f', -1, 64)
	default:
		return ""
	}
}

// clip shortens s to at most n bytes, whole characters. The copy lets go of the message that s is a part of.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.Clone(s)
}

// clipMiddle shortens s to at most n bytes by leaving out its middle. A rejection of a listener begins with which one, quotes all of
// it, and ends with why.
func clipMiddle(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	const gap = " […] "
	tail := len(s) - (n - n/4 - len(gap))
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return clip(s, n/4) + gap + s[tail:]
}

// open counts a new stream. It is listed when it has sent a request.
func (s *Server) open(address string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fleet.last++
	return &session{srv: s, id: s.fleet.last, address: address, opened: s.now()}
}

// introduce lists a stream at its first request, with the mutex held. An Envoy that comes back takes the place of the entry that it
// left when it went: the latest with its node id and host.
func (s *Server) introduce(from *session, n *corev3.Node) {
	from.known, from.node = true, newNode(n)
	f := &s.fleet
	f.connected[from.id] = from
	for i, old := range slices.Backward(f.gone) {
		if old.node.id == from.node.id && host(old.address) == host(from.address) {
			f.gone = slices.Delete(f.gone, i, i+1)
			break
		}
	}
	s.log.Info("envoy connected", append(from.fields(), zap.String("cluster", from.node.cluster),
		zap.String("user_agent", from.node.userAgent), zap.String("filter_format", from.node.format))...)
}

// close moves a stream that has ended to those that are gone, and judges anew what only it was waited for.
func (s *Server) close(from *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !from.known {
		return
	}
	now := s.now()
	from.closed = now
	for k, st := range from.subs {
		if st != nil {
			v := s.verdicts[k]
			if !v.suspect.IsZero() && st.answeredSeq != v.offered.seq && st.owes(v.offered) {
				v.cutOff = true
			}
			st.refresh(v.offered, now)
			st.queued, st.nonces, st.claims = nil, nil, nil // they hold offers
		}
	}
	delete(s.fleet.connected, from.id)
	s.fleet.gone = append(s.fleet.gone, from)
	s.fleet.prune(now)
	s.log.Info("envoy disconnected", append(from.fields(), zap.Duration("connected_for", now.Sub(from.opened)))...)
	for k := range kindCount {
		s.settle(k)
	}
}

func (f *fleet) prune(now time.Time) {
	drop := max(0, len(f.gone)-f.keep)
	for drop < len(f.gone) && now.Sub(f.gone[drop].closed) > f.keepFor {
		drop++
	}
	f.gone = slices.Delete(f.gone, 0, drop)
}

func (s *session) fields() []zap.Field {
	return []zap.Field{zap.String("node", s.node.id), zap.String("address", s.address), zap.Uint64("stream", s.id)}
}

func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}
