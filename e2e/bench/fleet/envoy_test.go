package fleet

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/xds"
	"adsidecar/envoy"
	"adsidecar/envoy/gateway"
)

const patience = time.Minute // how long a test waits for what must come

// A plane is a real control plane's xDS server.
type plane struct {
	*xds.Server
	t       *testing.T
	address string
}

func start(t *testing.T) *plane {
	t.Helper()
	server, err := xds.New(xds.Config{})
	require.NoError(t, err)
	require.NoError(t, server.SetGateway([]*listenerv3.Listener{{Name: "public"}}, []*clusterv3.Cluster{{Name: "a"}, {Name: "b"}}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return &plane{Server: server, t: t, address: listener.Addr().String()}
}

func (p *plane) publish(version string, data []byte) {
	p.t.Helper()
	require.NoError(p.t, p.Publish(xds.Index{Version: version, Name: envoy.FilterName, Resource: envoy.AdsResource(&gateway.Config{}, data)}))
}

// until waits for a status.
func (p *plane) until(what string, ok func(xds.Status) bool) xds.Status {
	p.t.Helper()
	var status xds.Status
	require.Eventually(p.t, func() bool {
		status = p.Status()
		return ok(status)
	}, patience, time.Millisecond, what)
	return status
}

// one connects an Envoy and returns it with its acknowledgements.
func (p *plane) one(c Config) (*Envoy, chan Acknowledged) {
	p.t.Helper()
	acks := make(chan Acknowledged, 64)
	c.Address, c.Report = p.address, func(a Acknowledged) { acks <- a }
	e := New(c)
	require.NoError(p.t, e.Connect(p.t.Context()))
	p.t.Cleanup(e.Close)
	return e, acks
}

func next(t *testing.T, e *Envoy, acks chan Acknowledged) Acknowledged {
	t.Helper()
	select {
	case a := <-acks:
		return a
	case <-e.Done():
		require.NoError(t, e.Err(), "the connection ended")
	case <-time.After(patience):
	}
	require.Fail(t, "no index was acknowledged")
	return Acknowledged{}
}

// index compiles some ads.
func index(t *testing.T, ads int) *compile.Result {
	t.Helper()
	document := []byte(`{"ads":[`)
	for i := range ads {
		if i > 0 {
			document = append(document, ',')
		}
		document = fmt.Appendf(document, `{"id":"ad-%d","video_url":"https://cdn.example.com/%d.mp4","country":"us","lang":"eng","start_hour":0,"end_hour":24}`, i, i)
	}
	decoded, err := campaign.Decode(append(document, "]}"...))
	require.NoError(t, err)
	r, err := compile.Compile(decoded, compile.Params{})
	require.NoError(t, err)
	require.Equal(t, ads, r.Ads)
	return r
}

func TestEnvoysAcknowledgeAllThatIsOnOffer(t *testing.T) {
	p := start(t)
	first, second := index(t, 3), index(t, 4000)
	p.publish(first.Version, first.Bytes)
	a, aAcks := p.one(Config{ID: "a", Keep: true})
	b, bAcks := p.one(Config{ID: "b"})
	digests := map[uint64]bool{}
	for n, want := range []*compile.Result{first, second} {
		if n > 0 {
			p.publish(want.Version, want.Bytes)
		}
		one, other := next(t, a, aAcks), next(t, b, bAcks)
		require.Equal(t, "a", one.ID)
		require.Equal(t, want.Version, one.Version)
		require.Equal(t, want.Version, other.Version)
		require.Equal(t, one.Digest, other.Digest)
		require.Equal(t, len(envoy.AdsResource(&gateway.Config{}, want.Bytes).GetValue()), one.Bytes)
		digests[one.Digest] = true
		version, ads, err := a.Index()
		require.NoError(t, err)
		require.Equal(t, want.Version, version)
		require.Equal(t, want.Ads, ads)
	}
	require.Len(t, digests, 2, "other bytes have another digest")
	_, _, err := b.Index()
	require.Error(t, err, "nothing was kept")

	status := p.until("all are in sync", func(s xds.Status) bool {
		for _, of := range s.Types {
			if of.Offered == nil || of.Offered.Acknowledged != 2 {
				return false
			}
		}
		return true
	})
	require.Equal(t, "envoy/1.40.0", status.Envoys[0].UserAgent)
	require.NotEmpty(t, status.Envoys[0].FilterFormat)
}

func TestWhoComesBackIsSentWhatItDoesNotHold(t *testing.T) {
	p := start(t)
	p.publish("v1", []byte("one"))
	e, acks := p.one(Config{ID: "a"})
	next(t, e, acks)
	synced := func(s xds.Status) bool {
		return len(s.Envoys) == 1 && s.Envoys[0].Connected && len(s.Envoys[0].Types) == 3 && s.Types[2].Offered.Acknowledged == 1
	}
	p.until("it has the index", synced)
	gone := func(s xds.Status) bool { return !s.Envoys[0].Connected }

	e.Close()
	require.ErrorIs(t, e.Err(), net.ErrClosed)
	p.until("it is gone", gone)
	require.NoError(t, e.Connect(t.Context()))
	for _, of := range p.until("it is back", synced).Envoys[0].Types {
		require.Empty(t, of.Sent, "it holds what is on offer: %s", of.Type)
	}
	require.Empty(t, acks)

	e.Close()
	p.until("it is gone", gone)
	e.Restart()
	require.NoError(t, e.Connect(t.Context()))
	require.Equal(t, "v1", next(t, e, acks).Version)
}

func TestWhoStallsOrHangsAcknowledgesNothing(t *testing.T) {
	p := start(t)
	const size = 8 << 20 // more than a socket's buffers
	p.publish("v1", make([]byte, size))
	slow, slowAcks := p.one(Config{ID: "slow", Stalling: true})
	dead, deadAcks := p.one(Config{ID: "dead"})
	fine, fineAcks := p.one(Config{ID: "fine"})
	next(t, slow, slowAcks)
	next(t, dead, deadAcks)
	next(t, fine, fineAcks)
	slow.Stall()
	dead.Hang()
	for _, version := range []string{"v2", "v3", "v4"} { // 24 MiB: a window has to be given back
		p.publish(version, bytes.Repeat([]byte(version), size/2))
		require.Equal(t, version, next(t, fine, fineAcks).Version)
	}
	status := p.until("the others have not", func(s xds.Status) bool {
		return s.Types[2].Offered.Acknowledged == 1 && s.Types[2].Offered.Pending == 2
	})
	require.Empty(t, slowAcks)
	require.Empty(t, deadAcks)
	for _, e := range status.Envoys {
		require.True(t, e.Connected, "%s only does not read", e.Node)
	}
}

func TestTheNodeIsAsLargeAsEnvoys(t *testing.T) {
	require.InEpsilon(t, 61_122, proto.Size(node("edge-7")), 0.02)
}

func TestPeakMemoryIsReadFromProc(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		want   int64
		ok     bool
	}{
		"a process":     {status: "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t    12 kB\nVmRSS:\t 1 kB\n", want: 12 << 10, ok: true},
		"a kernel task": {status: "Name:\tx\n"},
		"no number":     {status: "VmHWM:\t many kB\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := peak(c.status)
			require.Equal(t, c.ok, ok)
			if ok {
				require.Equal(t, c.want, got)
			}
		})
	}
}

func TestFilesAreCounted(t *testing.T) {
	require.NoError(t, Files(1))
	require.ErrorContains(t, Files(1<<62), "ulimit")
}
