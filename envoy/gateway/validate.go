package gateway

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"adsidecar/internal/hostname"
)

var (
	name       = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	headerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,99}$`)
	routePath  = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$`)
)

// validate reports everything that is wrong with a complete c.
func (p *parser) validate(c *Config) {
	p.listener(&c.Listener)
	p.issuers(c.Issuers)
	for header, claim := range c.Tokens.ClaimHeaders {
		key := "tokens.claim_headers." + header
		p.check(headerName.MatchString(header) && !reserved[strings.ToLower(header)], key, "not a header that a claim may set")
		p.check(claim != "", key, "the claim's name is empty")
	}
	p.upstreams(c.Upstreams)
	p.routes(c)
	if c.Users != nil {
		p.users(c.Users, c)
	}
	p.empty("users")
	p.empty("users.store.dynamodb")
	p.check(c.Ads.Module != "", "ads.module", "is empty")
	p.campaigns(&c.Campaigns)
	p.operators(&c.Campaigns.Operators)
	p.empty("campaigns.operators.dynamodb")
	p.guards(&c.Guards)
	p.xds(&c.XDS)
	p.admin(&c.Admin)
	if p.address("envoy.admin_address", c.Envoy.AdminAddress, true) {
		p.check(loopback(c.Envoy.AdminAddress), "envoy.admin_address", "Envoy's admin listener has no credentials: it must be a loopback address")
	}
	p.check(len(c.Envoy.NodeID) <= 255, "envoy.node_id", "is longer than 255 bytes")
	p.check(c.Envoy.Cluster != "", "envoy.cluster", "is empty")
	p.check(c.Envoy.MaxConnections > 0 && c.Envoy.MaxConnections <= 100_000_000, "envoy.max_connections", "is not between 1 and 100,000,000")
	p.check(c.Envoy.Stats == StatsOwn || c.Envoy.Stats == StatsAll, "envoy.stats", "%q is neither %s nor %s", c.Envoy.Stats, StatsOwn, StatsAll)
	p.check(c.Envoy.MaxHeapMiB <= 16<<20, "envoy.max_heap_mib", "is more than 16 TiB")
}

// reserved are headers that a claim must not overwrite.
var reserved = map[string]bool{
	"authorization": true, "host": true, "content-length": true, "transfer-encoding": true, "connection": true, "te": true,
	"x-request-id": true, "x-forwarded-for": true, "x-forwarded-proto": true,
}

func (p *parser) check(ok bool, key, format string, args ...any) {
	if !ok {
		p.add(key, format, args...)
	}
}

// empty reports a section whose presence means something and that has no content: YAML takes it for absent, its writer did not.
func (p *parser) empty(key string) {
	n, _, found := p.find(key)
	p.check(!found || n.ShortTag() != "!!null", key, "is empty: write %s: {} for the defaults", key[strings.LastIndexByte(key, '.')+1:])
}

func (p *parser) between(key string, d Duration, least, most time.Duration) {
	p.check(d.D() >= least && d.D() <= most, key, "%s is not between %s and %s", p.quote(key, d.D()), least, most)
}

// address reports whether a is host:port; ip demands an IP literal as the host.
func (p *parser) address(key, a string, ip bool) bool {
	host, port, err := net.SplitHostPort(a)
	n, perr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || perr != nil || n == 0 || host == "":
		p.add(key, "%s is not host:port", p.quote(key, a))
		return false
	case ip && !isIP(host):
		p.add(key, "%s is not an IP address: listeners bind to one (127.0.0.1, 0.0.0.0, ::)", p.quote(key, host))
		return false
	}
	return true
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return hostname.Loopback(host)
}

// httpURL does not quote the URL: its query may be what opens it.
func (p *parser) httpURL(key, raw string) {
	u, err := url.Parse(raw)
	p.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Fragment == "", key,
		"is not an absolute http or https URL")
	p.check(err != nil || u.User == nil, key, "holds a password; secrets come from files (campaigns.header.value_file)")
}

func (p *parser) listener(l *Listener) {
	p.address("listener.address", l.Address, true)
	for i, s := range l.StagePrefixes {
		key := fmt.Sprintf("listener.stage_prefixes[%d]", i)
		p.check(routePath.MatchString(s) && s != "/" && !strings.Contains(s[1:], "/"), key, "%s is not one path segment such as /prod", p.quote(key, s))
	}
	p.check(l.TrustedHops <= 100, "listener.trusted_hops", "%s is more than 100", p.quote("listener.trusted_hops", l.TrustedHops))
	p.check(l.MaxConnections > 0, "listener.max_connections", "must be 1 or more")
	p.check(l.MaxHeaderKiB >= 8 && l.MaxHeaderKiB <= 96, "listener.max_header_kib", "%s is not between 8 and 96", p.quote("listener.max_header_kib", l.MaxHeaderKiB))
	p.between("listener.headers_timeout", l.HeadersTimeout, 100*time.Millisecond, time.Minute)
	p.between("listener.request_timeout", l.RequestTimeout, 0, 24*time.Hour)
	p.between("listener.idle_timeout", l.IdleTimeout, time.Second, 24*time.Hour)
	p.between("listener.max_connection_age", l.MaxConnectionAge, 0, 24*time.Hour)
	p.check(!strings.ContainsAny(l.ServedBy, "\r\n\x00"), "listener.served_by", "holds a control character")
}

func (p *parser) issuers(list []Issuer) {
	p.check(len(list) > 0, "issuers", "at least one issuer is needed: every route asks for a token unless it says otherwise")
	seen := map[string]bool{}
	servers := map[string]int{}
	for i, is := range list {
		at := fmt.Sprintf("issuers[%d].", i)
		p.check(is.Issuer != "", at+"issuer", "is empty")
		p.check(!seen[is.Issuer], at+"issuer", "stands twice")
		seen[is.Issuer] = true
		p.httpURL(at+"jwks_url", is.JWKSURL)
		// Envoy has one cluster for each server that keys come from, with one set of authorities.
		if u, err := url.Parse(is.JWKSURL); err == nil && u.Scheme == "https" {
			first, shared := servers[u.Host]
			p.check(!shared || list[first].CAFile == is.CAFile, at+"ca_file",
				"differs from that of issuers[%d], whose keys come from the same server: it is verified in one way", first)
			if !shared {
				servers[u.Host] = i
			}
		}
		p.check(len(is.ClientIDs) > 0, at+"client_ids", "at least one client is needed: any player of any app would be accepted otherwise")
		for j, id := range is.ClientIDs {
			p.check(id != "", fmt.Sprintf("%sclient_ids[%d]", at, j), "is empty")
		}
		for j, u := range is.TokenUses {
			key := fmt.Sprintf("%stoken_uses[%d]", at, j)
			p.check(u == "access" || u == "id", key, "%s is neither access nor id", p.quote(key, u))
		}
		// Envoy reads keys again 5 s before their time is over.
		p.between(at+"jwks_cache", is.JWKSCache, 6*time.Second, time.Hour)
		p.between(at+"max_token_lifetime", is.MaxTokenLifetime, 0, 10*365*24*time.Hour)
		p.check(is.CachedTokens <= 10_000_000, at+"cached_tokens", "%s is more than 10,000,000", p.quote(at+"cached_tokens", is.CachedTokens))
	}
}

func (p *parser) upstreams(list []Upstream) {
	seen := map[string]bool{}
	for i, u := range list {
		at := fmt.Sprintf("upstreams[%d].", i)
		p.check(name.MatchString(u.Name), at+"name", "%s is not a name: lower-case letters, digits, - and _", p.quote(at+"name", u.Name))
		p.check(!seen[u.Name], at+"name", "%s stands twice", p.quote(at+"name", u.Name))
		seen[u.Name] = true
		p.check(len(u.Endpoints) > 0, at+"endpoints", "at least one host:port is needed")
		for j, e := range u.Endpoints {
			p.address(fmt.Sprintf("%sendpoints[%d]", at, j), e, false)
		}
		p.check(u.Protocol == HTTP1 || u.Protocol == HTTP2 || u.Protocol == GRPC, at+"protocol", "%s is none of http1, http2, grpc", p.quote(at+"protocol", string(u.Protocol)))
		p.between(at+"connect_timeout", u.ConnectTimeout, time.Millisecond, time.Minute)
		if h := u.HealthCheck; h != nil {
			p.check(u.Protocol == GRPC || strings.HasPrefix(h.Path, "/"), at+"health_check.path", "%s is not a path", p.quote(at+"health_check.path", h.Path))
			p.check(u.Protocol != GRPC || h.Path == "", at+"health_check.path", "a grpc upstream is asked by the gRPC health protocol, without a path")
			p.between(at+"health_check.interval", h.Interval, 100*time.Millisecond, time.Hour)
			p.between(at+"health_check.timeout", h.Timeout, 10*time.Millisecond, time.Minute)
		}
	}
}

func (p *parser) routes(c *Config) {
	names := map[string]bool{}
	for _, u := range c.Upstreams {
		names[u.Name] = true
	}
	// The first route of a path answers alone. One for a path and, after it, one for all that is below are both of use.
	paths := map[string]bool{"/ad_request": true, "/health": true}
	if c.Users != nil {
		paths[UsersDocument] = true
		for _, e := range Endpoints {
			paths[e.Path()], paths[e.HealthPath()] = true, true
		}
	}
	prefixes := maps.Clone(paths)
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		match, key := r.Prefix, at+".prefix"
		if r.Path != "" {
			match, key = r.Path, at+".path"
		}
		p.check((r.Prefix == "") != (r.Path == ""), at, "needs one of prefix and path")
		if match != "" {
			p.check(routePath.MatchString(match) && !strings.Contains(match, "//") && !strings.Contains(match+"/", "/./") && !strings.Contains(match+"/", "/../"),
				key, "%s is not a normal path", p.quote(key, match))
			taken := prefixes[match] || r.Path != "" && paths[match]
			p.check(!taken, key, "%s is already a route; the first one answers alone", p.quote(key, match))
			if r.Path != "" {
				paths[match] = true
			} else {
				prefixes[match] = true
			}
		}
		p.check(r.Upstream != "", at+".upstream", "is missing")
		p.check(r.Upstream == "" || names[r.Upstream], at+".upstream", "no upstream is named %s", p.quote(at+".upstream", r.Upstream))
		p.check(r.Token == TokenRequired || r.Token == TokenNone, at+".token", "%s is neither required nor none", p.quote(at+".token", string(r.Token)))
		p.check(r.Rewrite == "" || routePath.MatchString(r.Rewrite), at+".rewrite", "%s is not a path", p.quote(at+".rewrite", r.Rewrite))
		p.between(at+".timeout", *r.Timeout, 0, 24*time.Hour)
		p.between(at+".idle_timeout", r.IdleTimeout, 0, 24*time.Hour)
	}
}

func (p *parser) campaigns(c *Campaigns) {
	p.check((c.URL == "") != (c.File == ""), "campaigns", "needs one of url and file")
	_, _, isS3 := c.S3Object()
	if c.URL != "" && !isS3 {
		p.httpURL("campaigns.url", c.URL)
	}
	p.campaignsS3(c)
	p.between("campaigns.poll_interval", c.PollInterval, 100*time.Millisecond, 24*time.Hour)
	p.between("campaigns.timeout", c.Timeout, 10*time.Millisecond, time.Hour)
	p.check(c.MaxDocumentMiB >= 1 && c.MaxDocumentMiB <= 4096, "campaigns.max_document_mib", "%s is not between 1 and 4096", p.quote("campaigns.max_document_mib", c.MaxDocumentMiB))
	p.check(c.MaxIndexMiB >= 1 && c.MaxIndexMiB <= 400, "campaigns.max_index_mib",
		"%s is not between 1 and 400: a Wasm VM has 1 GiB and holds the old and the new index at once", p.quote("campaigns.max_index_mib", c.MaxIndexMiB))
	p.check(c.StateDir != "", "campaigns.state_dir", "is empty")
	if h := c.Header; h != nil {
		p.check(headerName.MatchString(h.Name), "campaigns.header.name", "%s is not a header's name", p.quote("campaigns.header.name", h.Name))
		p.check(h.ValueFile != "", "campaigns.header.value_file", "is missing")
		p.check(c.URL != "" && !isS3, "campaigns.header", "is for an http or https campaigns.url only")
	}
}

func (p *parser) xds(x *XDS) {
	if p.address("xds.address", x.Address, true) {
		p.check(loopback(x.Address) || x.TLS != nil || x.Insecure, "xds.address",
			"%s is not a loopback address: configure xds.tls, or state xds.insecure: true", p.quote("xds.address", unquoted(x.Address)))
	}
	p.address("xds.connect", x.Connect, false)
	p.between("xds.verdict_grace", x.VerdictGrace, time.Millisecond, 10*time.Minute)
	if t := x.TLS; t != nil {
		p.check(!x.Insecure, "xds.insecure", "contradicts xds.tls")
		for key, file := range map[string]string{
			"ca_file": t.CAFile, "cert_file": t.CertFile, "key_file": t.KeyFile,
			"client_cert_file": t.ClientCertFile, "client_key_file": t.ClientKeyFile,
		} {
			p.check(file != "", "xds.tls."+key, "is missing")
		}
	}
}
