package xds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// An offer is one version of the resources of one type. Its resources are marshalled once and shared by every response, so nothing
// in it may be changed once it is on offer, but for the fields of the verdict.
type offer struct {
	version    string
	sourceTime time.Time // zero: not known
	bytes      int       // of all marshalled resources
	names      []string  // ascending
	items      map[string]*item

	// Set by the verdict.
	seq          uint64 // order of publishing, from 1
	since        time.Time
	acknowledged bool
}

type item struct {
	resource *discoveryv3.Resource
	// token is what go-control-plane remembers as sent on a stream. It is not the resource's version: a version that was sent and
	// rejected must be sent again after its quarantine, although its version is the same. See offer.stamp.
	token string
}

type named interface {
	proto.Message
	GetName() string
}

// newOffer marshals resources, which it does not keep. The version is the hash of the content, and that of each resource the hash of its
// own.
func newOffer[R named](k kind, resources []R) (*offer, error) {
	o := &offer{items: make(map[string]*item, len(resources))}
	versions := make(map[string]string, len(resources))
	for _, r := range resources {
		name := r.GetName()
		// Deterministic, so that replicas and restarts agree on the hash.
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("marshal %s resource %q: %w", k, name, err)
		}
		sum := sha256.Sum256(value)
		versions[name] = hex.EncodeToString(sum[:16])
		if err := o.add(k, name, versions[name], &anypb.Any{TypeUrl: k.typeURL(), Value: value}); err != nil {
			return nil, err
		}
	}
	slices.Sort(o.names)
	o.version = versionOf(versions)
	return o, nil
}

// add keeps resource.
func (o *offer) add(k kind, name, version string, resource *anypb.Any) error {
	if name == "" {
		return fmt.Errorf("%s resource without a name", k)
	}
	if _, ok := o.items[name]; ok {
		return fmt.Errorf("%s resource %q given twice", k, name)
	}
	if resource.GetTypeUrl() != k.typeURL() {
		return fmt.Errorf("%s resource %q of type %q", k, name, resource.GetTypeUrl())
	}
	o.bytes += len(resource.GetValue())
	o.names = append(o.names, name)
	o.items[name] = &item{resource: &discoveryv3.Resource{Name: name, Version: version, Resource: resource}}
	return nil
}

// versionOf is the version of a type's content: the hash of its resources' names and versions.
func versionOf(resources map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		h.Write(fmt.Appendf(nil, "%q %s\n", name, resources[name]))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// versionsHeld are the versions of a type that an Envoy may run which names these resource versions when it connects.
func versionsHeld(k kind, claims map[string]string) []string {
	switch {
	case len(claims) == 0:
		return nil
	case k.removes():
		return []string{versionOf(claims)}
	default:
		return slices.Collect(maps.Values(claims)) // an index is a resource, and has its version
	}
}

// stamp gives each resource its token. A version has the same token each time it is offered, so that a stream that holds it is sent
// nothing, until a version of the type comes out of quarantine, which starts a new era: a stream that rejected it must be sent it
// again. A resource that did not change keeps its token.
func (o *offer) stamp(era int, previous *offer) {
	for name, it := range o.items {
		it.token = it.resource.GetVersion() + "#" + strconv.Itoa(era)
		if previous == nil {
			continue
		}
		if old, ok := previous.items[name]; ok && old.resource.GetVersion() == it.resource.GetVersion() {
			it.token = old.token
		}
	}
}

// current tells whether a stream that was last sent returned (a token, or the version that the Envoy itself named when it
// connected) holds the resource as it is on offer.
func (it *item) current(returned string) bool {
	return returned == it.token || returned == it.resource.GetVersion()
}

// A difference is what brings one stream up to date with an offer.
type difference struct {
	changed []*discoveryv3.Resource
	removed []string
	next    map[string]string // name → token: what the stream holds then
}

func (o *offer) difference(k kind, sub cache.Subscription) difference {
	returned := sub.ReturnedResources()
	d := difference{next: make(map[string]string)}
	for _, name := range o.names {
		if _, ok := sub.SubscribedResources()[name]; !ok && !sub.IsWildcard() {
			continue
		}
		it := o.items[name]
		d.next[name] = it.token
		if !it.current(returned[name]) {
			d.changed = append(d.changed, it.resource)
		}
	}
	if !k.removes() {
		return d
	}
	for name := range returned {
		if _, ok := o.items[name]; ok {
			continue
		}
		if _, ok := sub.SubscribedResources()[name]; ok || sub.IsWildcard() {
			d.removed = append(d.removed, name)
		}
	}
	slices.Sort(d.removed)
	return d
}

// heldBy tells whether an Envoy that names these resource versions when it connects runs this offer.
func (o *offer) heldBy(k kind, claims map[string]string) bool {
	if len(claims) == 0 || k.removes() && len(claims) != len(o.items) {
		return false
	}
	for name, it := range o.items {
		if version, ok := claims[name]; !ok || version != it.resource.GetVersion() {
			return false
		}
	}
	return true
}
