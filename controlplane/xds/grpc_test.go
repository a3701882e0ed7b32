package xds

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
)

func TestStateOfTheWorldIsRefused(t *testing.T) {
	p := start(t)
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(t.Context())
	require.NoError(t, err)
	_, err = stream.Recv()
	require.Equal(t, codes.Unimplemented, grpcstatus.Code(err))
	require.ErrorContains(t, err, "set api_type DELTA_GRPC")
}

// TestAStuckEnvoyHoldsUpNobody: it subscribed and never reads, so that gRPC's flow control stops its stream.
func TestAStuckEnvoyHoldsUpNobody(t *testing.T) {
	p := start(t)
	data := make([]byte, 4<<20) // far more than fits into the windows
	require.NoError(t, p.Publish(indexOf("v0", data)))
	stuck := p.dial("stuck").subscribe(lds, nil).subscribe(ecds, nil)
	stuck.untilSubscribed(ecds)
	e := p.connect("fine").subscribe(ecds, nil)
	for _, version := range []string{"v1", "v2", "v3"} {
		e.ack(e.next(ecds))
		require.NoError(t, p.Publish(indexOf(version, data)))
		require.NoError(t, p.SetGateway(listeners(version), nil))
	}
	e.ack(e.nextIndex("v3"))
	e.untilRuns(ecds, "v3")
	index, ok := of(p.Status(), "stuck", ecds)
	require.True(t, ok)
	require.False(t, index.InSync)
	require.Equal(t, 1, p.Status().Types[ecds].Offered.Pending)

	p.stop() // returns although the stuck stream never ends by itself
}

func TestServeEndsWithItsContextAndAllStreams(t *testing.T) {
	p := start(t)
	p.publish("v1")
	e := p.connect("a").subscribe(ecds, nil)
	e.nextIndex("v1")
	p.stop()
	select {
	case err := <-e.ended:
		require.True(t, isEnd(err), "%v", err)
	case <-time.After(patience):
		require.Fail(t, "the stream did not end")
	}
	require.False(t, p.Status().Envoys[0].Connected, "all streams have ended when Serve returns")
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	server, err := New(Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorContains(t, server.Serve(t.Context(), listener), "serve xds: ")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, server.Serve(ended, listener))
}

func TestMutualTLS(t *testing.T) {
	certificate, pool := selfSigned(t)
	p := start(t, func(c *Config) {
		c.Credentials = credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			MinVersion: tls.VersionTLS13,
		})
	})
	p.publish("v1")
	p.client = credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: pool, ServerName: "xds", MinVersion: tls.VersionTLS13,
	})
	e := p.connect("a").subscribe(ecds, nil)
	e.ack(e.nextIndex("v1"))
	e.untilRuns(ecds, "v1")

	p.client = credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "xds", MinVersion: tls.VersionTLS13})
	stranger, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(p.client))
	require.NoError(t, err)
	defer func() { require.NoError(t, stranger.Close()) }()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(stranger).DeltaAggregatedResources(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	require.Equal(t, codes.Unavailable, grpcstatus.Code(err))
	require.Len(t, p.Status().Envoys, 1)
}

// TestManyAtOnce is for the race detector: everything that may happen at the same time does.
func TestManyAtOnce(t *testing.T) {
	p := start(t)
	require.NoError(t, p.SetGateway(listeners("l"), clusters("c")))
	results := make(chan error, 8)
	for range cap(results) {
		e := p.connect("same").subscribe(cds, nil).subscribe(lds, nil).subscribe(ecds, nil)
		go func() { results <- e.answerUntil("last") }()
	}
	for i := range 50 {
		version := string(rune('a' + i%26))
		if err := p.Publish(index(version)); err != nil {
			require.ErrorIs(t, err, ErrQuarantined)
			require.Contains(t, p.RetryAll(), version)
		}
		if err := p.SetGateway(listeners("l", "l-"+version), clusters("c")); err != nil {
			require.ErrorIs(t, err, ErrQuarantined)
		}
		p.Status()
		_, err := p.registry.Gather()
		require.NoError(t, err)
		p.clock.advance(time.Second)
	}
	p.publish("last")
	for range cap(results) {
		require.NoError(t, <-results)
	}
}

// answerUntil acknowledges most of what it is sent and rejects the rest, until it is sent the version, which it acknowledges.
func (e *proxy) answerUntil(version string) error {
	for i := 0; ; i++ {
		select {
		case response := <-e.responses:
			request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()}
			last := response.GetSystemVersionInfo() == version
			if i%5 == 4 && !last {
				request.ErrorDetail = &status.Status{Message: "no"}
			}
			if err := e.stream.Send(request); err != nil || last {
				return err
			}
		case err := <-e.ended:
			return err
		case <-time.After(patience):
			return errors.New("the version was not sent")
		}
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"xds"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
