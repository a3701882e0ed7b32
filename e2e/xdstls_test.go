package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// handshake connects to an xDS address and returns the serial number of the server's certificate once the server has sent what an HTTP/2
// server sends first: settings. A refused client certificate shows only there, as the client's part of the handshake is over before.
func handshake(t *testing.T, address string, c *tls.Config) (serial int64, err error) {
	t.Helper()
	c.NextProtos = []string{"h2"}
	tcp, err := net.DialTimeout("tcp", address, 5*time.Second)
	require.NoError(t, err)
	defer tcp.Close() //nolint:errcheck // only read
	conn := tls.Client(tcp, c)
	require.NoError(t, tcp.SetDeadline(time.Now().Add(10*time.Second)))
	if err := conn.HandshakeContext(deadline(t, 10*time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		return 0, err
	}
	var frame [9]byte
	if _, err := io.ReadFull(conn, frame[:]); err != nil {
		return 0, err
	}
	if kind := frame[3]; kind != 4 {
		return 0, fmt.Errorf("a frame of type %d, %d bytes", kind, binary.BigEndian.Uint32(frame[:4])>>8)
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// TestXDSOverMutualTLS: Envoys with a certificate of the CA are served, and nobody else.
func TestXDSOverMutualTLS(t *testing.T) {
	ca, foreign := newAuthority(t, "ours"), newAuthority(t, "foreign")
	const host = "controlplane.internal"
	serverCert, serverKey := ca.issue(t, "controlplane", 10, host)
	clientCert, clientKey := ca.issue(t, "envoy", 11, "envoy.internal")
	s := served(t, stack.Options{Gateway: fmt.Sprintf(
		"xds: {tls: {ca_file: %s, cert_file: %s, key_file: %s, client_cert_file: %s, client_key_file: %s, server_name: %s}}",
		ca.caFile, serverCert, serverKey, clientCert, clientKey, host), Campaigns: document(t, ad("a", "us", "eng"))})
	address := s.ControlPlane().XDSAddress

	roots := x509.NewCertPool()
	text, err := os.ReadFile(ca.caFile)
	require.NoError(t, err)
	require.True(t, roots.AppendCertsFromPEM(text))
	with := func(a *authority, name string) *tls.Config {
		c := &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
		if a != nil {
			certFile, keyFile := a.issue(t, name, 20, name)
			pair, err := tls.LoadX509KeyPair(certFile, keyFile)
			require.NoError(t, err)
			// Whatever the server asks for: of Certificates a client would send none that is of another CA.
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return c
	}
	t.Run("a client with a certificate of the CA is served", func(t *testing.T) {
		serial, err := handshake(t, address, with(ca, "another-envoy"))
		require.NoError(t, err)
		require.EqualValues(t, 10, serial)
	})
	old := with(ca, "old")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for name, c := range map[string]*tls.Config{
		"a client without a certificate":            with(nil, ""),
		"a client with a certificate of another CA": with(foreign, "envoy"),
		"a client that speaks TLS 1.1 and no later": old,
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := handshake(t, address, c)
			var alert tls.AlertError
			var refused *net.OpError
			require.True(t, errors.As(err, &alert) || errors.As(err, &refused) && refused.Op == "remote error", "%v", err)
		})
	}
	t.Run("a client without TLS is refused", func(t *testing.T) {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		require.NoError(t, err)
		defer conn.Close() //nolint:errcheck // only read
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		if err == nil {
			require.NotEqual(t, byte(4), append(got, 0, 0, 0, 0)[3], "no settings came")
		}
	})
	t.Run("a renewed certificate is used without a restart", func(t *testing.T) {
		ca.issue(t, "controlplane", 12, host)
		serial, err := handshake(t, address, with(ca, "another-envoy"))
		require.NoError(t, err)
		require.EqualValues(t, 12, serial)
	})
	t.Run("updates flow", func(t *testing.T) {
		s.Source.SetBody(document(t, ad("b", "us", "eng")))
		eventually(t, 20*time.Second, connect(t, s).serves("us", "eng", "b"))
	})
	t.Run("an Envoy does not take a control plane of another name for its own", func(t *testing.T) {
		ca.issue(t, "controlplane", 13, "elsewhere.internal")
		require.NoError(t, s.ControlPlane().Stop())
		require.NoError(t, s.ControlPlane().Start(deadline(t, time.Minute)))
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			stats, err := s.Envoy().Stats(ctx)
			if n := stats[`envoy_cluster_ssl_fail_verify_san{envoy_cluster_name="xds"}`]; err == nil && n < 2 {
				err = fmt.Errorf("%v connections failed for the name", n)
			}
			return err
		})
		require.Empty(t, page(t, s).XDS.Envoys)
		require.Equal(t, 200, get(t, s, "?country=us&lang=eng").Status, "it goes on with what it has")
		ca.issue(t, "controlplane", 14, host)
		s.Source.SetBody(document(t, ad("c", "us", "eng")))
		eventually(t, 20*time.Second, connect(t, s).serves("us", "eng", "c"))
	})
}
