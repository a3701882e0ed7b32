package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"

	"adsidecar/envoy/gateway"
)

// mutualTLS is the server's end of the connections to Envoys, which must show a certificate of the CA. The files are read at each
// handshake, so that renewed certificates are used without a restart; they are read once here, so that a wrong path is found at the start.
func mutualTLS(c *gateway.XDSTLS) (credentials.TransportCredentials, error) {
	read := func() (*tls.Config, error) {
		cert, certErr := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		ca, caErr := os.ReadFile(c.CAFile)
		if err := errors.Join(certErr, caErr); err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s: holds no PEM certificate", c.CAFile)
		}
		return &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{cert},
			ClientCAs:    pool,
			ClientAuth:   tls.RequireAndVerifyClientCert,
			NextProtos:   []string{"h2"},
		}, nil
	}
	if _, err := read(); err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return read() },
	}), nil
}
