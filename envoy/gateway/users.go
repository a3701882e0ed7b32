package gateway

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Endpoint is one of the user service's paths without its slash.
type Endpoint string

// The endpoints of the user service.
const (
	Authenticate Endpoint = "authenticate"
	Create       Endpoint = "create"
	Read         Endpoint = "read"
	Update       Endpoint = "update"
)

// Endpoints are all endpoints of the user service.
var Endpoints = []Endpoint{Authenticate, Create, Read, Update}

// UsersDocument is the path of the user service's OpenAPI document.
const UsersDocument = "/openapi.json"

// Path is the endpoint's path.
func (e Endpoint) Path() string { return "/" + string(e) }

// HealthPath is the path that says whether the endpoint is ready.
func (e Endpoint) HealthPath() string { return "/hc-" + string(e) }

// Access says whose records a signed-in user may read and update.
type Access string

// The values of [Users.Access].
const (
	// AccessOwner is their own; operators may read and update all.
	AccessOwner Access = "owner"
	// AccessAnySignedIn is everybody's.
	AccessAnySignedIn Access = "any_signed_in"
)

// Users is the user service behind the gateway. Without it the gateway has none of its paths.
type Users struct {
	// Address is where the service listens. Beyond loopback it needs Insecure: it speaks plaintext.
	Address string `yaml:"address"`
	// Insecure allows plaintext beyond loopback.
	Insecure bool `yaml:"insecure"`
	// Connect is where Envoy finds it, host:port each. Default: Address.
	Connect []string `yaml:"connect"`
	// ConnectEach is where Envoy finds endpoints that are served by processes of their own. Default: Connect.
	ConnectEach map[Endpoint][]string `yaml:"connect_each"`
	// Access is owner (the default) or any_signed_in.
	Access Access `yaml:"access"`
	// OperatorsGroup is the group of a token (cognito:groups) whose members may read and update every record.
	OperatorsGroup string `yaml:"operators_group"`
	// SignInRate limits /authenticate for each client address: the last 64 bits of an IPv6 address do not count.
	SignInRate Rate    `yaml:"sign_in_rate"`
	Cognito    Cognito `yaml:"cognito"`
	// Store keeps the records.
	Store Store `yaml:"store"`
}

// Rate is a limit: so many requests at once, and in each Per as many again, one by one.
type Rate struct {
	Requests uint32   `yaml:"requests"`
	Per      Duration `yaml:"per"`
}

// Cognito is the user pool that signs users in, and whose tokens the service accepts.
type Cognito struct {
	// Issuer is one of the gateway's issuers, by its iss claim; its last path segment is the pool's ID, which begins with the region.
	// Default: the first.
	Issuer string `yaml:"issuer"`
	// ClientID is the app client that /authenticate signs in with, one of the issuer's client_ids. Default: its first.
	ClientID string `yaml:"client_id"`
	// ClientSecretFile holds that client's secret. Empty: a client without one.
	ClientSecretFile string `yaml:"client_secret_file"`
	// Endpoint replaces AWS's own.
	Endpoint string `yaml:"endpoint"`
}

// PoolID is the ID of the user pool: "eu-west-1_EXAMPLE".
func (c *Cognito) PoolID() string { return c.Issuer[strings.LastIndexByte(c.Issuer, '/')+1:] }

// Region is the AWS region of the user pool.
func (c *Cognito) Region() string {
	region, _, _ := strings.Cut(c.PoolID(), "_")
	return region
}

// Store is where records are. Exactly one of File and DynamoDB; default: the file users.db.
type Store struct {
	// File is an embedded store for one process: bbolt.
	File     string         `yaml:"file"`
	DynamoDB *DynamoDBStore `yaml:"dynamodb"`
}

// DynamoDBStore is a store for any number of processes. Credentials come from the AWS SDK's chain: environment, files, role.
type DynamoDBStore struct {
	// Table has the records; Table with "-idempotency" appended has the idempotency keys. Both are made by `adsidecar-users init`.
	Table string `yaml:"table"`
	// Region default: the user pool's.
	Region string `yaml:"region"`
	// Endpoint replaces AWS's own.
	Endpoint string `yaml:"endpoint"`
}

var (
	poolID    = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}_[A-Za-z0-9]{1,55}$`)
	region    = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`) // eu-west-1, eusc-de-east-1
	tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,243}$`)           // 255, less the suffix
	groupName = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$`)
)

// UnmarshalYAML decodes into the defaults of keys whose zero value must not pass for an absent one.
func (u *Users) UnmarshalYAML(n *yaml.Node) error {
	type plain Users
	u.SignInRate = Rate{Requests: 30, Per: seconds(60)}
	return n.Decode((*plain)(u))
}

func (u *Users) applyDefaults(issuers []Issuer) {
	set(&u.Address, "127.0.0.1:18004")
	if len(u.Connect) == 0 {
		u.Connect = []string{u.Address}
	}
	set(&u.Access, AccessOwner)
	set(&u.OperatorsGroup, "operators")
	if u.Cognito.Issuer == "" && len(issuers) > 0 {
		u.Cognito.Issuer = issuers[0].Issuer
	}
	if is := u.issuer(issuers); is != nil && u.Cognito.ClientID == "" && len(is.ClientIDs) > 0 {
		u.Cognito.ClientID = is.ClientIDs[0]
	}
	if d := u.Store.DynamoDB; d != nil {
		set(&d.Table, "unouserdb")
		set(&d.Region, u.Cognito.Region())
	} else {
		set(&u.Store.File, "users.db")
	}
}

// issuer is the one that signs users in; nil if it is none of the gateway's.
func (u *Users) issuer(issuers []Issuer) *Issuer {
	i := slices.IndexFunc(issuers, func(is Issuer) bool { return is.Issuer == u.Cognito.Issuer })
	if i < 0 {
		return nil
	}
	return &issuers[i]
}

// UsersIssuer is the issuer that signs users in, and whose tokens the user service accepts. Only with Users.
func (c *Config) UsersIssuer() *Issuer { return c.Users.issuer(c.Issuers) }

// UsersEndpoints are where Envoy finds an endpoint of the user service. Only with Users.
func (c *Config) UsersEndpoints(e Endpoint) []string {
	if own := c.Users.ConnectEach[e]; len(own) > 0 {
		return own
	}
	return c.Users.Connect
}

func (p *parser) users(u *Users, c *Config) {
	if p.address("users.address", u.Address, true) {
		p.check(loopback(u.Address) || u.Insecure, "users.address",
			"%s is not a loopback address and the service speaks plaintext; set users.insecure: true to allow it",
			p.quote("users.address", unquoted(u.Address)))
	}
	for i, e := range u.Connect {
		p.connect(fmt.Sprintf("users.connect[%d]", i), e)
	}
	for _, endpoint := range slices.Sorted(maps.Keys(u.ConnectEach)) {
		key := "users.connect_each." + string(endpoint)
		p.check(slices.Contains(Endpoints, endpoint), key, "is none of authenticate, create, read, update")
		p.check(len(u.ConnectEach[endpoint]) > 0, key, "at least one host:port is needed")
		for i, e := range u.ConnectEach[endpoint] {
			p.connect(fmt.Sprintf("%s[%d]", key, i), e)
		}
	}
	p.check(u.Access == AccessOwner || u.Access == AccessAnySignedIn, "users.access",
		"%s is neither owner nor any_signed_in", p.quote("users.access", string(u.Access)))
	p.check(groupName.MatchString(u.OperatorsGroup), "users.operators_group",
		"%s is not a group's name", p.quote("users.operators_group", u.OperatorsGroup))
	p.check(u.SignInRate.Requests >= 1 && u.SignInRate.Requests <= 1_000_000, "users.sign_in_rate.requests",
		"%s is not between 1 and 1,000,000", p.quote("users.sign_in_rate.requests", u.SignInRate.Requests))
	p.between("users.sign_in_rate.per", u.SignInRate.Per, time.Second, 24*time.Hour)
	p.cognito(u, c)
	p.store(&u.Store)
}

// connect is an address that is connected to: one that only listens, such as 0.0.0.0, leads nowhere.
func (p *parser) connect(key, address string) {
	if !p.address(key, address, false) {
		return
	}
	host, _, _ := net.SplitHostPort(address)
	if ip, err := netip.ParseAddr(host); err == nil {
		p.check(!ip.Unmap().IsUnspecified(), key, "%s is an address to listen on, not to connect to", p.quote(key, unquoted(address)))
	}
}

func (p *parser) cognito(u *Users, c *Config) {
	if is := u.issuer(c.Issuers); is == nil {
		p.add("users.cognito.issuer", "%s is none of issuers", p.quote("users.cognito.issuer", u.Cognito.Issuer))
	} else {
		p.check(poolID.MatchString(u.Cognito.PoolID()), "users.cognito.issuer",
			"%s does not end with a user pool's ID such as eu-west-1_EXAMPLE", p.quote("users.cognito.issuer", u.Cognito.Issuer))
		p.check(slices.Contains(is.TokenUses, "id"), "users.cognito.issuer", "its token_uses lack id: what /authenticate gives would be refused")
		p.check(slices.Contains(is.ClientIDs, u.Cognito.ClientID), "users.cognito.client_id",
			"%s is none of the issuer's client_ids: what /authenticate gives would be refused", p.quote("users.cognito.client_id", u.Cognito.ClientID))
	}
	p.endpoint("users.cognito.endpoint", u.Cognito.Endpoint)
}

func (p *parser) store(s *Store) {
	d := s.DynamoDB
	p.check(d == nil || s.File == "", "users.store", "needs one of file and dynamodb")
	if d == nil {
		return
	}
	p.check(tableName.MatchString(d.Table), "users.store.dynamodb.table",
		"%s is not a table's name of 3 to 243 characters", p.quote("users.store.dynamodb.table", d.Table))
	p.check(region.MatchString(d.Region), "users.store.dynamodb.region",
		"%s is not a region such as eu-west-1", p.quote("users.store.dynamodb.region", d.Region))
	p.endpoint("users.store.dynamodb.endpoint", d.Endpoint)
}

// endpoint does not quote the URL, which may hold a password.
func (p *parser) endpoint(key, raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	p.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil, key,
		"is not an http or https URL without a password")
}
