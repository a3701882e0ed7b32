package gateway

import (
	"net"
	"strings"
	"time"
)

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func seconds(n int) Duration { return Duration(time.Duration(n) * time.Second) }

// applyDefaults completes c. A key whose zero value means something (0s = none) has its default only where the file lacks it, which is
// why the file is decoded into a Config that starts as [baseline].
func (c *Config) applyDefaults(lookup func(string) (string, bool)) {
	for i := range c.Listener.StagePrefixes {
		c.Listener.StagePrefixes[i] = strings.TrimSuffix(c.Listener.StagePrefixes[i], "/")
	}
	for i := range c.Issuers {
		is := &c.Issuers[i]
		set(&is.JWKSURL, strings.TrimSuffix(is.Issuer, "/")+"/.well-known/jwks.json")
		if len(is.TokenUses) == 0 {
			is.TokenUses = []string{"access", "id"}
		}
		set(&is.CAFile, DefaultCAFile)
		set(&is.JWKSCache, seconds(60))
		set(&is.CachedTokens, 10000)
	}
	upstreams := map[string]*Upstream{}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		upstreams[u.Name] = u
		set(&u.Protocol, HTTP1)
		set(&u.ConnectTimeout, seconds(2))
		set(&u.MaxConnections, 1024)
		set(&u.MaxRequests, 4096)
		set(&u.MaxPending, 1024)
		if u.TLS != nil && len(u.Endpoints) > 0 {
			host, _, _ := net.SplitHostPort(u.Endpoints[0])
			set(&u.TLS.ServerName, host)
			set(&u.TLS.CAFile, DefaultCAFile)
		}
		if h := u.HealthCheck; h != nil {
			set(&h.Interval, seconds(5))
			set(&h.Timeout, seconds(2))
			set(&h.Healthy, 1)
			set(&h.Unhealthy, 2)
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		set(&r.Token, TokenRequired)
		if r.ForwardToken == nil {
			yes := true
			r.ForwardToken = &yes
		}
		streams := r.WebSocket
		if u := upstreams[r.Upstream]; u != nil && u.Protocol == GRPC {
			streams = true
		}
		timeout, idle := seconds(15), seconds(15)
		if streams {
			timeout, idle = 0, seconds(3600)
		}
		if r.Timeout == nil {
			r.Timeout = &timeout
		}
		set(&r.IdleTimeout, idle)
	}
	if c.Users != nil {
		c.Users.applyDefaults(c.Issuers)
	}
	c.Campaigns.Operators.applyDefaults()
	c.Admin.applyDefaults()
	set(&c.XDS.Connect, c.XDS.Address)
	if c.XDS.TLS != nil {
		host, _, _ := net.SplitHostPort(c.XDS.Connect)
		set(&c.XDS.TLS.ServerName, host)
	}
	if c.Envoy.NodeID == "" {
		c.Envoy.NodeID, _ = lookup("HOSTNAME")
		set(&c.Envoy.NodeID, "envoy")
	}
}

// baseline is what the file is decoded into: the defaults of keys that are not in a list.
func baseline() Config {
	return Config{
		Listener: Listener{
			Address:          "127.0.0.1:8080",
			StagePrefixes:    []string{"/prod", "/development"},
			MaxConnections:   10000,
			MaxHeaderKiB:     60,
			HeadersTimeout:   seconds(5),
			RequestTimeout:   seconds(30),
			IdleTimeout:      seconds(300),
			MaxConnectionAge: seconds(3600),
		},
		Ads: Ads{Module: "bin/adsidecar.wasm"},
		Campaigns: Campaigns{
			PollInterval:   seconds(10),
			Timeout:        seconds(10),
			MaxDocumentMiB: 64,
			MaxIndexMiB:    96,
			StateDir:       "state",
		},
		Guards: Guards{MaxRemovedShare: 1},
		XDS:    XDS{Address: "127.0.0.1:18000", VerdictGrace: seconds(10)},
		Admin:  Admin{Address: "127.0.0.1:18001"},
		Envoy:  Envoy{AdminAddress: "127.0.0.1:9901", Cluster: "adsidecar", MaxConnections: 50000, Stats: StatsOwn},
	}
}
