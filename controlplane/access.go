package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/envoy/gateway"
	"adsidecar/internal/awsclient"
	"adsidecar/internal/cognito"
	"adsidecar/internal/program"
	"adsidecar/internal/token"
)

// newGuard decides who may use the admin address. The verifier is to run; it is nil without a user pool.
func newGuard(ctx context.Context, c *gateway.Admin, metrics prometheus.Registerer, logs program.Logs) (*access.Guard, *token.Verifier, error) {
	config := access.Config{
		Address: c.Address, Name: c.Name, TLS: c.TLS != nil, TokensFile: c.TokensFile,
		TrustedHops: int(c.TrustedHops), Logger: logs.Log, Audit: logs.Audit,
	}
	var verifier *token.Verifier
	if c.Cognito != nil {
		var err error
		verifier, err = token.New(token.Config{
			Issuer: c.Cognito.Issuer, JWKSURL: c.Cognito.JWKSURL, ClientIDs: []string{c.Cognito.ClientID}, Uses: []string{"access", "id"},
			Registerer: metrics, Subsystem: "admin", Logger: logs.Log,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("admin.cognito: %w", err)
		}
		pool, err := operatorsPool(ctx, c.Cognito, logs.Log)
		if err != nil {
			return nil, nil, err
		}
		config.Tokens, config.Passwords = verifier, pool
		config.ViewersGroup, config.OperatorsGroup = c.Cognito.Groups.Viewers, c.Cognito.Groups.Operators
	}
	guard, err := access.New(config)
	if err != nil {
		return nil, nil, fmt.Errorf("admin: %w", err)
	}
	return guard, verifier, nil
}

// operatorsPool signs operators in; it never signs anybody up.
func operatorsPool(ctx context.Context, c *gateway.AdminCognito, log *zap.Logger) (*cognito.Pool, error) {
	secret, err := program.ReadSecret("admin.cognito.client_secret_file", c.ClientSecretFile)
	if err != nil {
		return nil, err
	}
	pool := c.Pool()
	aws, err := awsclient.Load(ctx, pool.Region(), pool.Endpoint, log)
	if err != nil {
		return nil, fmt.Errorf("admin.cognito: %w", err)
	}
	users, err := cognito.New(cognito.Config{AWS: aws, PoolID: pool.PoolID(), ClientID: pool.ClientID, ClientSecret: secret})
	if err != nil {
		return nil, fmt.Errorf("admin.cognito: %w", err)
	}
	return users, nil
}

// listenAdmin listens on the admin address. The certificate is read at each handshake, so that a renewed one is used without a
// restart; it is read once here, so that a wrong path is found at the start.
func listenAdmin(ctx context.Context, c *gateway.Admin) (net.Listener, error) {
	var config *tls.Config
	if c.TLS != nil {
		read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
			return &certificate, err
		}
		if _, err := read(nil); err != nil {
			return nil, fmt.Errorf("admin.tls: %w", err)
		}
		config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: read, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := listen(ctx, "admin.address", c.Address)
	if err != nil || config == nil {
		return l, err
	}
	return tls.NewListener(l, config), nil
}
