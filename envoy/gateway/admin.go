package gateway

import (
	"strings"

	"adsidecar/internal/hostname"
)

// Admin is the control plane's own HTTP address: health, metrics, API and console.
//
// On loopback it has no credentials unless TokensFile or Cognito is configured. On any other address one of them must be, and TLS, or
// Insecure.
type Admin struct {
	// Address is where it listens, host:port with an IP literal as host.
	Address string `yaml:"address"`
	// Name is the name that clients call it by: requests with another Host are answered 421, but for localhost and the IP address itself.
	Name string `yaml:"name"`
	// Insecure allows plaintext beyond loopback: behind a proxy that does TLS.
	Insecure bool `yaml:"insecure"`
	// TrustedHops is the number of proxies in front that append to X-Forwarded-For: failed sign-ins are limited for each client address.
	TrustedHops uint32    `yaml:"trusted_hops"`
	TLS         *AdminTLS `yaml:"tls"`
	// TokensFile has a line "name role token" for each token, and is for its owner alone to read. Empty: none.
	TokensFile string `yaml:"tokens_file"`
	// Cognito is the user pool of the operators; absent: none.
	Cognito *AdminCognito `yaml:"cognito"`
	// MetricsAddress answers /metrics as well, and nothing else, without credentials and in plaintext. Empty: no such address.
	MetricsAddress string `yaml:"metrics_address"`
}

// AdminTLS is the admin address's certificate.
type AdminTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// AdminCognito is the user pool whose tokens the admin address takes, and whose users sign in there. It may be the players' pool or
// another: being a member of one of the groups counts.
type AdminCognito struct {
	// Issuer is the exact iss claim; its last path segment is the pool's ID.
	Issuer string `yaml:"issuer"`
	// JWKSURL is where its keys are. Default: the issuer + /.well-known/jwks.json.
	JWKSURL string `yaml:"jwks_url"`
	// ClientID is the app client whose tokens are taken, and that users sign in with.
	ClientID string `yaml:"client_id"`
	// ClientSecretFile holds that client's secret. Empty: a client without one.
	ClientSecretFile string `yaml:"client_secret_file"`
	// Endpoint replaces AWS's own.
	Endpoint string      `yaml:"endpoint"`
	Groups   AdminGroups `yaml:"groups"`
}

// AdminGroups are names of groups in a token (cognito:groups).
type AdminGroups struct {
	// Viewers read; default: viewers.
	Viewers string `yaml:"viewers"`
	// Operators read and write; default: operators.
	Operators string `yaml:"operators"`
}

// Pool is the part that signs users in.
func (c *AdminCognito) Pool() Cognito {
	return Cognito{Issuer: c.Issuer, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile, Endpoint: c.Endpoint}
}

func (a *Admin) applyDefaults() {
	if c := a.Cognito; c != nil {
		set(&c.JWKSURL, strings.TrimSuffix(c.Issuer, "/")+"/.well-known/jwks.json")
		set(&c.Groups.Viewers, "viewers")
		set(&c.Groups.Operators, "operators")
	}
}

func (p *parser) admin(a *Admin) {
	p.empty("admin.tls")
	p.empty("admin.cognito")
	if p.address("admin.address", a.Address, true) && !loopback(a.Address) {
		p.check(a.TLS != nil || a.Insecure, "admin.address",
			"%s is not a loopback address: configure admin.tls, or state admin.insecure: true", p.quote("admin.address", unquoted(a.Address)))
		p.check(a.TokensFile != "" || a.Cognito != nil, "admin.address",
			"%s is not a loopback address and nobody's credentials are configured: add admin.tokens_file, admin.cognito or both",
			p.quote("admin.address", unquoted(a.Address)))
	}
	p.check(a.Name == "" || hostname.Valid(a.Name), "admin.name",
		"%s is not a host's name, without a port", p.quote("admin.name", a.Name))
	p.check(a.TrustedHops <= 100, "admin.trusted_hops", "%s is more than 100", p.quote("admin.trusted_hops", a.TrustedHops))
	// An empty variable of the environment must not open what its writer closed.
	_, _, there := p.find("admin.tokens_file")
	p.check(!there || a.TokensFile != "", "admin.tokens_file", "is empty")
	if t := a.TLS; t != nil {
		p.check(!a.Insecure, "admin.insecure", "contradicts admin.tls")
		p.check(t.CertFile != "", "admin.tls.cert_file", "is missing")
		p.check(t.KeyFile != "", "admin.tls.key_file", "is missing")
	}
	if a.MetricsAddress != "" && p.address("admin.metrics_address", a.MetricsAddress, true) {
		p.check(a.MetricsAddress != a.Address, "admin.metrics_address", "is admin.address: it takes an address of its own")
	}
	if a.Cognito != nil {
		p.adminCognito(a.Cognito)
	}
}

func (p *parser) adminCognito(c *AdminCognito) {
	pool := c.Pool()
	p.check(c.Issuer != "", "admin.cognito.issuer", "is missing")
	p.check(c.Issuer == "" || poolID.MatchString(pool.PoolID()), "admin.cognito.issuer",
		"%s does not end with a user pool's ID such as eu-west-1_EXAMPLE", p.quote("admin.cognito.issuer", c.Issuer))
	if c.Issuer != "" {
		p.httpURL("admin.cognito.jwks_url", c.JWKSURL)
	}
	p.check(c.ClientID != "", "admin.cognito.client_id", "is missing")
	p.endpoint("admin.cognito.endpoint", c.Endpoint)
	for _, g := range []struct{ key, name string }{
		{"admin.cognito.groups.viewers", c.Groups.Viewers}, {"admin.cognito.groups.operators", c.Groups.Operators},
	} {
		p.check(groupName.MatchString(g.name), g.key, "%s is not a group's name", p.quote(g.key, g.name))
	}
	p.check(c.Groups.Viewers != c.Groups.Operators, "admin.cognito.groups", "viewers and operators are the same group: viewers could write")
}
