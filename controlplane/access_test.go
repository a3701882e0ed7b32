package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/web"
)

// TestAdminByTLSSpeaksWhatItNegotiates: browsers and curl ask for HTTP/2 first, and are to get it.
func TestAdminByTLSSpeaksWhatItNegotiates(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	admin := &gateway.Admin{Address: "127.0.0.1:0", TLS: &gateway.AdminTLS{
		CertFile: write("cert.pem", "CERTIFICATE", certificate), KeyFile: write("key.pem", "PRIVATE KEY", private),
	}}
	listener, err := listenAdmin(t.Context(), admin)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := &web.Server{Logger: zap.NewNop(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	go func() { ended <- server.Serve(ctx, listener) }()

	parsed, err := x509.ParseCertificate(certificate)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	for name, tc := range map[string]struct {
		http2 bool
		proto string
	}{"HTTP/2": {true, "HTTP/2.0"}, "HTTP/1.1 alone": {false, "HTTP/1.1"}} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: tc.http2}
			defer transport.CloseIdleConnections()
			ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+listener.Addr().String(), http.NoBody)
			require.NoError(t, err)
			answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(ask)
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, tc.proto, string(body))
		})
	}
	cancel()
	require.NoError(t, <-ended)
}
