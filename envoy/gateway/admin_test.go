package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAdminBeyondLoopbackNeedsTLSAndCredentials: all combinations of address, TLS, insecure and credentials.
func TestAdminBeyondLoopbackNeedsTLSAndCredentials(t *testing.T) {
	const (
		noTLS         = "is not a loopback address: configure admin.tls, or state admin.insecure: true"
		noCredentials = "is not a loopback address and nobody's credentials are configured: add admin.tokens_file, admin.cognito or both"
		contradicts   = "admin.insecure: contradicts admin.tls"
	)
	cognito := "  cognito: {issuer: \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE\", client_id: console}\n"
	credentials := map[string]string{"none": "", "a file": "  tokens_file: tokens\n", "a pool": cognito, "both": "  tokens_file: tokens\n" + cognito}
	for address, loopback := range map[string]bool{
		"127.0.0.1:18001": true, "127.9.8.7:1": true, "[::1]:18001": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:18001": false, "[::]:18001": false, "10.0.0.1:18001": false, "[::ffff:0.0.0.0]:18001": false, "[2001:db8::1]:18001": false,
		"169.254.1.1:1": false, "[fe80::1%eth0]:1": false,
	} {
		for _, tls := range []bool{false, true} {
			for _, insecure := range []bool{false, true} {
				for how, lines := range credentials {
					text := minimal + "admin:\n  address: \"" + address + "\"\n" + lines
					var want []string
					if tls {
						text += "  tls: {cert_file: a, key_file: b}\n"
					}
					if insecure {
						text += "  insecure: true\n"
					}
					if !loopback && !tls && !insecure {
						want = append(want, noTLS)
					}
					if !loopback && how == "none" {
						want = append(want, noCredentials)
					}
					if tls && insecure {
						want = append(want, contradicts)
					}
					_, err := Parse("gateway.yaml", []byte(text), env())
					if len(want) == 0 {
						require.NoError(t, err, text)
						continue
					}
					var findings Findings
					require.ErrorAs(t, err, &findings, text)
					require.Len(t, findings, len(want), text)
					for _, w := range want {
						require.ErrorContains(t, err, w, text)
					}
				}
			}
		}
	}
}

func TestAdminDefaultsComplete(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(minimal), env())
	require.NoError(t, err)
	require.Equal(t, Admin{Address: "127.0.0.1:18001"}, c.Admin)

	const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE"
	c, err = Parse("gateway.yaml", []byte(minimal+"admin: {cognito: {issuer: \""+issuer+"\", client_id: console, client_secret_file: s}}"), env())
	require.NoError(t, err)
	require.Equal(t, &AdminCognito{
		Issuer: issuer, JWKSURL: issuer + "/.well-known/jwks.json", ClientID: "console", ClientSecretFile: "s",
		Groups: AdminGroups{Viewers: "viewers", Operators: "operators"},
	}, c.Admin.Cognito)
	pool := c.Admin.Cognito.Pool()
	require.Equal(t, Cognito{Issuer: issuer, ClientID: "console", ClientSecretFile: "s"}, pool)
	require.Equal(t, "eu-west-1", pool.Region())
}

func TestAdminValuesFromTheEnvironmentAreNotShown(t *testing.T) {
	_, err := Parse("gateway.yaml", []byte(minimal+`
admin:
  address: ${SECRET}
  name: ${SECRET} x
  metrics_address: ${SECRET}
  cognito: {issuer: "${SECRET}", jwks_url: "${SECRET}", client_id: "", endpoint: "${SECRET}", groups: {viewers: "${SECRET} x", operators: "${SECRET} x"}}
`), env("SECRET", "hunter2"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")

	_, err = Parse("gateway.yaml", []byte(minimal+"admin: {tokens_file: \"${NONE}\"}"), env("NONE", ""))
	require.ErrorContains(t, err, "admin.tokens_file: is empty")
}
