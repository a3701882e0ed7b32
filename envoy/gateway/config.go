// Package gateway is the one YAML file that configures an adsidecar gateway: the listener, whose tokens are accepted, which routes
// exist, where the campaigns come from, and how Envoy and the control plane find each other.
//
// Decoding is strict. An unknown key, a wrong type or a value out of range is a [Finding] with file, line and key, and all findings are
// reported at once. Every optional key has a default, so a Config that was loaded is complete: no reader of it applies defaults again.
// Secrets are never values of the file: they are paths of files, or come from the environment by ${NAME}. No finding shows a value that
// came from there.
package gateway

// DefaultCAFile holds the public certificate authorities on Debian, Ubuntu and Alpine, and in Envoy's own images. Envoy cannot find
// them by itself.
const DefaultCAFile = "/etc/ssl/certs/ca-certificates.crt"

// Config is the whole file. Times are Go durations ("15s"); addresses are host:port.
type Config struct {
	Listener  Listener   `yaml:"listener"`
	Issuers   []Issuer   `yaml:"issuers"`
	Tokens    Tokens     `yaml:"tokens"`
	Routes    []Route    `yaml:"routes"`
	Upstreams []Upstream `yaml:"upstreams"`
	Users     *Users     `yaml:"users"`
	Ads       Ads        `yaml:"ads"`
	Campaigns Campaigns  `yaml:"campaigns"`
	Guards    Guards     `yaml:"guards"`
	XDS       XDS        `yaml:"xds"`
	Admin     Admin      `yaml:"admin"`
	Envoy     Envoy      `yaml:"envoy"`
}

// Listener is Envoy's public plain HTTP listener.
type Listener struct {
	// Address is where Envoy listens, host:port with an IP literal as host.
	Address string `yaml:"address"`
	// StagePrefixes are path prefixes that stand for nothing: /prod/ad_request is /ad_request.
	StagePrefixes []string `yaml:"stage_prefixes"`
	// TrustedHops is the number of proxies in front that append to X-Forwarded-For.
	TrustedHops uint32 `yaml:"trusted_hops"`
	// ServedBy is sent as x-served-by with every answer. It may hold Envoy's %HOSTNAME% or %ENVIRONMENT(NAME)%. Empty: not sent.
	ServedBy string `yaml:"served_by"`
	// MaxConnections is the limit of this listener; further ones are closed at once. It is part of Envoy's bootstrap: a running Envoy
	// takes another value with a new bootstrap and a restart.
	MaxConnections uint32 `yaml:"max_connections"`
	// MaxHeaderKiB limits the request headers: above it 431.
	MaxHeaderKiB uint32 `yaml:"max_header_kib"`
	// HeadersTimeout bounds the time from a request's first byte to the end of its headers.
	HeadersTimeout Duration `yaml:"headers_timeout"`
	// RequestTimeout bounds the time to receive a whole request, 0 = no bound. An upload that streams longer, gRPC included, needs more.
	RequestTimeout Duration `yaml:"request_timeout"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout Duration `yaml:"idle_timeout"`
	// MaxConnectionAge drains a connection after this time, so that clients spread over a changed fleet; 0 = never.
	MaxConnectionAge Duration  `yaml:"max_connection_age"`
	AccessLog        AccessLog `yaml:"access_log"`
}

// AccessLog says what the JSON access log on stdout holds beyond its fixed fields.
type AccessLog struct {
	// Subject adds the verified token's sub.
	Subject bool `yaml:"subject"`
}

// Issuer is a Cognito user pool (or another issuer of RS256 tokens with the same claims) whose tokens are accepted.
type Issuer struct {
	// Issuer is the exact iss claim.
	Issuer string `yaml:"issuer"`
	// JWKSURL is where its keys are. Default: the issuer + /.well-known/jwks.json.
	JWKSURL string `yaml:"jwks_url"`
	// ClientIDs are the accepted app clients: client_id of access tokens, aud of ID tokens. A valid token of another client is a 403.
	ClientIDs []string `yaml:"client_ids"`
	// TokenUses are the accepted kinds: access, id. Default: both.
	TokenUses []string `yaml:"token_uses"`
	// JWKSCache is how long keys are kept before they are read again, so how long a new signing key may be unknown. At least 6s.
	JWKSCache Duration `yaml:"jwks_cache"`
	// MaxTokenLifetime refuses tokens that expire later than this from now, and so bounds how long a withdrawn key's cached token
	// passes. It must not be below the validity that the pool gives its tokens, or a fresh token is refused. 0: no limit.
	MaxTokenLifetime Duration `yaml:"max_token_lifetime"`
	// CachedTokens is how many verified tokens each worker remembers. Size it for the players that are active at once.
	CachedTokens uint32 `yaml:"cached_tokens"`
	// CAFile, on Envoy's machine, verifies the JWKS server's certificate. Issuers whose keys are on one server have the same. Default:
	// [DefaultCAFile].
	CAFile string `yaml:"ca_file"`
}

// Tokens says what upstreams learn from a verified token.
type Tokens struct {
	// ClaimHeaders are request headers set from claims (header name → claim). A client's own header of that name is always removed.
	ClaimHeaders map[string]string `yaml:"claim_headers"`
}

// Token says whether a route needs a token.
type Token string

// The values of [Route.Token].
const (
	TokenRequired Token = "required"
	TokenNone     Token = "none"
)

// Route sends the requests of a path to an upstream. The first route that matches wins: a Path stands before a Prefix that covers it.
type Route struct {
	// Prefix matches a path and everything below it: /game matches /game and /game/x, not /games. Exactly one of Prefix and Path.
	Prefix string `yaml:"prefix"`
	// Path matches this path alone.
	Path string `yaml:"path"`
	// Upstream is the name of an upstream.
	Upstream string `yaml:"upstream"`
	// Token is required (the default) or none.
	Token Token `yaml:"token"`
	// ForwardToken keeps the Authorization header of a route that needs a token. Default: true.
	ForwardToken *bool `yaml:"forward_token"`
	// Rewrite replaces Prefix or Path towards the upstream. Empty: unchanged.
	Rewrite string `yaml:"rewrite"`
	// WebSocket allows the upgrade on this route.
	WebSocket bool `yaml:"websocket"`
	// Timeout bounds the whole answer; 0s = none. Default: 15s, none on a WebSocket route or a gRPC upstream.
	Timeout *Duration `yaml:"timeout"`
	// IdleTimeout ends a stream on which nothing moves. Default: 15s, 1h on a WebSocket route or a gRPC upstream.
	IdleTimeout Duration `yaml:"idle_timeout"`
}

// Protocol is what an upstream speaks.
type Protocol string

// The values of [Upstream.Protocol].
const (
	HTTP1 Protocol = "http1"
	HTTP2 Protocol = "http2"
	GRPC  Protocol = "grpc" // HTTP/2, without a route timeout unless one is given
)

// Upstream is a group of servers that take game traffic.
type Upstream struct {
	Name string `yaml:"name"`
	// Endpoints are host:port. Names are resolved again every 5 s.
	Endpoints []string `yaml:"endpoints"`
	// Protocol is http1 (default), http2 or grpc.
	Protocol Protocol `yaml:"protocol"`
	// TLS towards the upstream; absent: plaintext.
	TLS            *UpstreamTLS `yaml:"tls"`
	ConnectTimeout Duration     `yaml:"connect_timeout"`
	// HealthCheck takes an endpoint out that does not answer; absent: none.
	HealthCheck *HealthCheck `yaml:"health_check"`
	// MaxConnections, MaxRequests and MaxPending are the circuit breaker.
	MaxConnections uint32 `yaml:"max_connections"`
	MaxRequests    uint32 `yaml:"max_requests"`
	MaxPending     uint32 `yaml:"max_pending"`
}

// UpstreamTLS verifies an upstream.
type UpstreamTLS struct {
	// ServerName is the SNI and the name its certificate must carry. Default: the first endpoint's host.
	ServerName string `yaml:"server_name"`
	// CAFile, on Envoy's machine, verifies it. Default: [DefaultCAFile].
	CAFile string `yaml:"ca_file"`
}

// HealthCheck is an active health check. Path is for http1 and http2; a grpc upstream is asked by the gRPC health protocol.
type HealthCheck struct {
	Path      string   `yaml:"path"`
	Interval  Duration `yaml:"interval"`
	Timeout   Duration `yaml:"timeout"`
	Healthy   uint32   `yaml:"healthy"`
	Unhealthy uint32   `yaml:"unhealthy"`
}

// Ads is the ad request's filter.
type Ads struct {
	// Module is the path of adsidecar.wasm on Envoy's machine. Envoy reads it again at every push: give a new build a new name.
	Module string `yaml:"module"`
}

// Campaigns is where campaign documents come from. Exactly one of URL and File.
type Campaigns struct {
	// URL is http://, https:// or s3://bucket/key. Exactly one of URL and File.
	URL  string `yaml:"url"`
	File string `yaml:"file"`
	// S3 is needed with an s3:// URL.
	S3 *CampaignsS3 `yaml:"s3"`
	// PollInterval is the time between two polls, with ±10 % jitter.
	PollInterval Duration `yaml:"poll_interval"`
	// Timeout bounds one poll.
	Timeout Duration `yaml:"timeout"`
	// MaxDocumentMiB limits the document after decompression.
	MaxDocumentMiB int `yaml:"max_document_mib"`
	// MaxIndexMiB limits the compiled index. See README, sizing.
	MaxIndexMiB int `yaml:"max_index_mib"`
	// Header is sent with each poll, its value read from a file each time.
	Header *SecretHeader `yaml:"header"`
	// CAFile verifies the source's certificate. Default: the system's roots.
	CAFile string `yaml:"ca_file"`
	// StateDir keeps the last good document over a restart, and what was published last.
	StateDir string `yaml:"state_dir"`
	// Operators is where operators' changes are kept.
	Operators Operators `yaml:"operators"`
}

// SecretHeader is a request header whose value is a secret.
type SecretHeader struct {
	Name      string `yaml:"name"`
	ValueFile string `yaml:"value_file"`
}

// XDS is how Envoys reach the control plane.
type XDS struct {
	// Address is where the control plane listens. Anything but loopback needs TLS or Insecure.
	Address string `yaml:"address"`
	// Connect is where Envoys connect to. Default: Address.
	Connect string `yaml:"connect"`
	// TLS of both ends; Envoys must show a certificate of the same CA.
	TLS *XDSTLS `yaml:"tls"`
	// Insecure allows plaintext beyond loopback.
	Insecure bool `yaml:"insecure"`
	// VerdictGrace is how long a rejected version waits for another Envoy's acknowledgement before it is taken back.
	VerdictGrace Duration `yaml:"verdict_grace"`
}

// XDSTLS is mutual TLS between Envoys and the control plane.
type XDSTLS struct {
	CAFile         string `yaml:"ca_file"`
	CertFile       string `yaml:"cert_file"`
	KeyFile        string `yaml:"key_file"`
	ClientCertFile string `yaml:"client_cert_file"`
	ClientKeyFile  string `yaml:"client_key_file"`
	// ServerName is the name in the control plane's certificate. Default: the host of Connect.
	ServerName string `yaml:"server_name"`
}

// Envoy is what goes into the bootstrap: a running Envoy takes other values with a new bootstrap and a restart.
type Envoy struct {
	// AdminAddress is Envoy's own admin listener. Loopback only.
	AdminAddress string `yaml:"admin_address"`
	// NodeID names an Envoy. Default: ${HOSTNAME}; `bootstrap --node-id` overrides it. Cluster names the fleet.
	NodeID  string `yaml:"node_id"`
	Cluster string `yaml:"cluster"`
	// MaxHeapMiB is the heap at which Envoy sheds load; 0 = no limit. The Wasm VMs are not part of it.
	MaxHeapMiB uint64 `yaml:"max_heap_mib"`
	// MaxConnections is the limit over all listeners.
	MaxConnections uint64 `yaml:"max_connections"`
	// Stats says which statistics the Envoy makes, at its admin address and in what it reports to the control plane: StatsOwn or StatsAll.
	Stats string `yaml:"stats"`
}

// Values of Envoy.Stats.
const (
	StatsOwn = "own" // the filter's, the listener's and the process's, and of a cluster what says whether it answers
	StatsAll = "all" // Envoy's default
)
