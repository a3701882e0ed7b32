package web

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Roots are the certificate authorities in the PEM file at path. An empty path is nil: the system's.
func Roots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ca file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca file: no certificate in %s", path)
	}
	return roots, nil
}
