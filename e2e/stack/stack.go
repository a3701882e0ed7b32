package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The demo user that every stack with a Cognito has, and the names of its pool and client.
const (
	PoolName   = "adsidecar"
	ClientName = "game"
	Username   = "demo"
	Password   = "demo-password"
)

// Ports are the ports of a stack's parts on 127.0.0.1. 0: a free one.
type Ports struct {
	Gateway, EnvoyAdmin, XDS, ControlPlane, Source, Moto, Users int
}

// Options say what a stack consists of. The zero value is a whole one: moto, a source with the sample campaigns, a control plane and
// an Envoy, on free ports.
type Options struct {
	// Dir takes configurations, state and logs. Empty: a temporary folder, removed by Close.
	Dir string
	// Tools and Programs are found and built if nil.
	Tools    *Tools
	Programs *Programs
	// Module is another build of the filter than that of Programs.
	Module string
	Ports  Ports

	// Moto is one to share between stacks; its owner closes it. Nil: an own one.
	Moto *Moto
	// NoMoto leaves Cognito out: then Issuers says whose tokens are accepted, and the stack has no token.
	NoMoto bool
	// Issuers are accepted beside moto's pool.
	Issuers []TrustedIssuer

	// Source is one to share, or one that was prepared; its owner closes it. Nil: an own one that serves Campaigns.
	Source *Source
	// Campaigns is the first document. Nil: the sample campaigns. SourceFile serves this file instead.
	Campaigns  []byte
	SourceFile string
	// PollInterval is the control plane's. 0: 200 ms.
	PollInterval time.Duration

	// Users adds the user service. Nil: none.
	Users *UsersOptions

	// Gateway is YAML that is put over the gateway's configuration: maps key by key, the rest as it is; null removes a key.
	Gateway string
	// GatewayFile is a whole gateway configuration instead of the stack's own; Env, KEY=VALUE, gives its variables; PORT,
	// ENVOY_ADMIN_PORT, XDS_PORT, CONTROLPLANE_PORT, MODULE, SOURCE_URL, STATE_DIR, ISSUER, JWKS_URL and CLIENT_ID are added, and
	// with Users COGNITO_ENDPOINT, USERS_PORT, USERS_CLIENT_ID, USERS_CLIENT_SECRET_FILE and USERS_FILE, the embedded store.
	GatewayFile string
	Env         []string

	// NoControlPlane and NoEnvoy do not start the first one of each; the control plane is configured all the same, so that its
	// Start can be called later. AddEnvoy adds the first Envoy then.
	NoControlPlane, NoEnvoy bool
	// Envoy is how the first Envoy is configured.
	Envoy EnvoyOptions
	// Concurrency is the number of each Envoy's workers. 0: 1.
	Concurrency int
	// Progress is told, in a few words, what is being started. Nil: nobody is.
	Progress func(what string)
}

// Stack is a running system. It is safe for concurrent use.
type Stack struct {
	// Dir has the configurations, state and logs.
	Dir string
	// Moto is nil with NoMoto. Pool and ClientID are the demo user's.
	Moto     *Moto
	Pool     *Pool
	ClientID string
	// UsersClientID is the app client with a secret that the user service signs in with. "" without a user service.
	UsersClientID string
	// UsersTable is the DynamoDB table of its records. "" with another store.
	UsersTable string
	Source     *Source

	opts       Options
	config     string // the GatewayFile with what is put over it; "" without one
	tools      *Tools
	programs   *Programs
	module     string
	issuers    []TrustedIssuer
	sourceURL  string
	listener   string // the first Envoy's
	envoyAdmin string
	ports      []*Port
	tokens     *Tokens
	secretFile string // of the user service's app client

	mu            sync.Mutex
	users         []*Users
	envoys        []*Envoy
	controlPlanes []*ControlPlane
	closed        bool
}

// Start starts a stack and returns when all its parts answer; see WaitServed for the first ad. If it fails, everything that was
// started is stopped again, and the error has the last log lines of the part that failed.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.PollInterval == 0 {
		o.PollInterval = 200 * time.Millisecond
	}
	if o.Concurrency == 0 {
		o.Concurrency = 1
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	s := &Stack{opts: o, Dir: o.Dir}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.startCognito(ctx); err != nil {
		return err
	}
	if err := s.startSource(); err != nil {
		return err
	}
	if err := s.reserveUsers(); err != nil {
		return err
	}
	if err := s.overlayGatewayFile(); err != nil {
		return err
	}
	c := &ControlPlane{Name: "controlplane", programs: s.programs}
	s.controlPlanes = append(s.controlPlanes, c)
	if err := s.configureControlPlane(c, 1); err != nil {
		return err
	}
	s.opts.Env = append(s.opts.Env, s.variables(c)...)
	c.env = s.opts.Env
	if !s.opts.NoControlPlane {
		s.opts.Progress("control plane")
		if err := c.Start(ctx); err != nil {
			return err
		}
	}
	if err := s.startUsers(ctx); err != nil {
		return err
	}
	if !s.opts.NoEnvoy {
		s.opts.Progress("Envoy")
		if _, err := s.AddEnvoy(ctx, s.opts.Envoy); err != nil {
			return err
		}
	}
	return nil
}

// prepare finds and builds what is needed and reserves the first Envoy's ports.
func (s *Stack) prepare(ctx context.Context) error {
	var err error
	if s.Dir == "" {
		if s.Dir, err = os.MkdirTemp("", "adsidecar-stack-"); err != nil {
			return fmt.Errorf("make a folder for the stack: %w", err)
		}
	}
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("make a folder for the stack: %w", err)
	}
	if s.tools = s.opts.Tools; s.tools == nil {
		if s.tools, err = FindTools(ctx, ToolsConfig{}); err != nil {
			return err
		}
	}
	if s.programs = s.opts.Programs; s.programs == nil {
		if s.programs, err = Build(ctx, s.tools.Root); err != nil {
			return err
		}
	}
	module := s.programs.Module
	if s.opts.Module != "" {
		module = s.opts.Module
	}
	if s.module, err = installModule(module, s.Dir); err != nil {
		return err
	}
	if s.listener, err = s.address(s.opts.Ports.Gateway); err != nil {
		return err
	}
	s.envoyAdmin, err = s.address(s.opts.Ports.EnvoyAdmin)
	return err
}

func (s *Stack) startCognito(ctx context.Context) error {
	s.issuers = append([]TrustedIssuer{}, s.opts.Issuers...)
	if s.opts.NoMoto {
		return nil
	}
	var err error
	if s.Moto = s.opts.Moto; s.Moto == nil {
		s.opts.Progress("Cognito (moto)")
		s.Moto, err = StartMoto(ctx, MotoConfig{Tools: s.tools, LogFile: filepath.Join(s.Dir, "moto.log"), Port: s.opts.Ports.Moto})
		if err != nil {
			return err
		}
	}
	if s.Pool, err = s.Moto.Pool(ctx, PoolName); err != nil {
		return err
	}
	if s.ClientID, err = s.Pool.Client(ctx, ClientName); err != nil {
		return err
	}
	if err := s.Pool.User(ctx, Username, Password); err != nil {
		return err
	}
	if s.tokens, err = s.Pool.SignIn(ctx, s.ClientID, Username, Password); err != nil {
		return err
	}
	cognito := TrustedIssuer{Issuer: s.Pool.Issuer, JWKSURL: s.Pool.JWKSURL, ClientIDs: []string{s.ClientID}}
	if s.opts.Users != nil {
		if err := s.makeUsersClient(ctx); err != nil {
			return err
		}
		cognito.ClientIDs = append(cognito.ClientIDs, s.UsersClientID)
	}
	s.issuers = append([]TrustedIssuer{cognito}, s.issuers...)
	return nil
}

func (s *Stack) startSource() error {
	if s.Source = s.opts.Source; s.Source == nil {
		c := SourceConfig{File: s.opts.SourceFile, Body: s.opts.Campaigns, Port: s.opts.Ports.Source}
		if c.File == "" && c.Body == nil {
			sample, err := os.ReadFile(filepath.Join(s.tools.Root, "compose", "campaigns.json"))
			if err != nil {
				return fmt.Errorf("read the sample campaigns: %w", err)
			}
			c.Body = sample
		}
		source, err := StartSource(c)
		if err != nil {
			return err
		}
		s.Source = source
	}
	s.sourceURL = s.Source.URL()
	return nil
}

// variables are what a GatewayFile may refer to as ${NAME}.
func (s *Stack) variables(c *ControlPlane) []string {
	v := []string{
		"PORT=" + portOf(s.listener), "ENVOY_ADMIN_PORT=" + portOf(s.envoyAdmin),
		"XDS_PORT=" + portOf(c.XDSAddress), "CONTROLPLANE_PORT=" + portOf(hostPort(c.URL)),
		"MODULE=" + s.module, "SOURCE_URL=" + s.sourceURL, "STATE_DIR=" + c.StateDir,
	}
	if s.Pool != nil {
		v = append(v, "ISSUER="+s.Pool.Issuer, "JWKS_URL="+s.Pool.JWKSURL, "CLIENT_ID="+s.ClientID)
	}
	return append(v, s.usersVariables()...)
}

// address is 127.0.0.1 with the given port, or with a free one for 0.
func (s *Stack) address(given int) (string, error) {
	if given != 0 {
		return address(given), nil
	}
	p, err := ReservePort()
	if err != nil {
		return "", err
	}
	s.ports = append(s.ports, p)
	return p.Address(), nil
}

// ControlPlane is the first control plane.
func (s *Stack) ControlPlane() *ControlPlane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.controlPlanes[0]
}

// Envoy is the first Envoy. Nil if there is none yet.
func (s *Stack) Envoy() *Envoy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.envoys) == 0 {
		return nil
	}
	return s.envoys[0]
}

// Close stops everything that the stack started, Envoys first. The error tells of parts that had to be killed. Closing it twice does
// nothing.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	envoys, users, controlPlanes := s.envoys, s.users, s.controlPlanes
	s.mu.Unlock()
	var err error
	for _, e := range envoys {
		err = errors.Join(err, e.close())
	}
	for _, u := range users {
		err = errors.Join(err, u.close())
	}
	for _, c := range controlPlanes {
		err = errors.Join(err, c.close())
	}
	if s.Source != nil && s.opts.Source == nil {
		s.Source.Close()
	}
	if s.Moto != nil && s.opts.Moto == nil {
		s.Moto.Close()
	}
	for _, p := range s.ports {
		p.Release()
	}
	if s.opts.Dir == "" && s.Dir != "" {
		err = errors.Join(err, os.RemoveAll(s.Dir))
	}
	return err
}

// hostPort is that of a URL that was made here.
func hostPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// portOf is the port of host:port.
func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
