// Package strictfake is a FAKE of Amazon Cognito for tests: one user pool in memory, over HTTP. It is no identity provider: it keeps
// passwords in the clear and never must be reached from outside a test machine.
//
// It is as strict as AWS's documents say, where moto is lax: it checks SECRET_HASH in every call, lets no unconfirmed user in, can
// hide whether a user exists, enforces the password policy, locks users out after five wrong passwords, wants requests of administrators signed with a known access key (it does
// not verify the signature itself), and can throttle, fail, hang and lose answers. Answers have AWS's shapes: x-amz-json-1.1, __type,
// X-Amzn-Errortype. Tokens are signed with RS256 and have Cognito's claims; their key is at /POOL/.well-known/jwks.json.
//
// It has the operations of a sign-in: AdminInitiateAuth and InitiateAuth (by password), SignUp, AdminConfirmSignUp,
// DescribeUserPoolClient.
package strictfake

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is the pool. The zero value is a pool without clients, with passwords of six characters of any kind, that confirms nobody
// on its own.
type Config struct {
	// Address is where the server listens. Empty: a free port of 127.0.0.1.
	Address string
	// PoolID is region_letters. Empty: "us-east-1_StrictFake".
	PoolID  string
	Clients []Client
	// AccessKeys are the AWS access keys that administrators' requests may be signed with. None: any.
	AccessKeys []string
	// MinimumPassword is the policy's length. 0: 6. RequireNumber asks for a digit as well.
	MinimumPassword int
	RequireNumber   bool
	// ConfirmAtSignUp is a pre-sign-up trigger that confirms every user.
	ConfirmAtSignUp bool
	// NoSignUp is AllowAdminCreateUserOnly.
	NoSignUp bool
	// UnconfirmedFirst tells of an unconfirmed user for a wrong password as well, as Cognito has been seen to do.
	UnconfirmedFirst bool
	// UsernameIsEmail asks for e-mail addresses as user names.
	UsernameIsEmail bool
	// Hold, if there is one, is called with the operation's name before each call is carried out, outside of all locks.
	Hold func(operation string)
	// Answered, if there is one, is called with the operation's name before each answer is sent.
	Answered func(operation string)
	// Now is the clock of tokens. Nil: time.Now.
	Now func() time.Time
}

// Client is an app client.
type Client struct {
	ID string
	// Secret is empty for a public client.
	Secret string
	// HideUsers is PreventUserExistenceErrors=ENABLED.
	HideUsers bool
	// NoAdminPassword leaves ALLOW_ADMIN_USER_PASSWORD_AUTH out.
	NoAdminPassword bool
}

// User is a user of the pool.
type User struct {
	Password  string
	Confirmed bool
	Disabled  bool
	// ResetRequired is the state after AdminResetUserPassword.
	ResetRequired bool
	// Challenge, if not empty, is asked for after the right password: "NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA".
	Challenge string
	// Sub is the user's ID. Empty: a new UUID.
	Sub string
	// Groups are in the tokens, if there are any.
	Groups []string

	wrong int // passwords in a row
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	key      *rsa.PrivateKey
	stopped  chan struct{} // closed by Close: ends calls that hang
	done     chan error

	mu     sync.Mutex
	users  map[string]*User
	calls  []string
	faults map[string][]Fault
}

// signingKey is the same for all fakes of a process, as making one takes longer than most tests.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Start starts a server. It returns when it listens.
func Start(c Config) (*Server, error) {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	if c.PoolID == "" {
		c.PoolID = "us-east-1_StrictFake"
	}
	if c.MinimumPassword == 0 {
		c.MinimumPassword = shortestPassword
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	key, err := signingKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		config: c, listener: listener, key: key, stopped: make(chan struct{}), done: make(chan error, 1),
		users: map[string]*User{}, faults: map[string][]Fault{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", s.call)
	mux.HandleFunc("GET /"+c.PoolID+"/.well-known/jwks.json", s.serveKeys)
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// Close stops the server and cuts its connections; calls that hang are cut. It is called once.
func (s *Server) Close() error {
	close(s.stopped)
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// URL is the endpoint, for an AWS client's BaseEndpoint.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// PoolID is the pool's ID.
func (s *Server) PoolID() string { return s.config.PoolID }

// Issuer is the iss claim of the tokens: Cognito's own form, not this server's address.
func (s *Server) Issuer() string {
	region, _, _ := strings.Cut(s.config.PoolID, "_")
	return "https://cognito-idp." + region + ".amazonaws.com/" + s.config.PoolID
}

// JWKSURL is where the key is.
func (s *Server) JWKSURL() string { return s.URL() + "/" + s.config.PoolID + "/.well-known/jwks.json" }

// SetUser makes the user or replaces it.
func (s *Server) SetUser(name string, u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Sub == "" {
		u.Sub = uuid()
	}
	s.users[name] = &u
}

// User is a copy of the user.
func (s *Server) User(name string) (u User, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.users[name]; ok {
		return *found, true
	}
	return User{}, false
}

// Unlock ends the lockout of a user, which Cognito does after a while.
func (s *Server) Unlock(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.users[name]; ok {
		u.wrong = 0
	}
}

// Calls are the operations that came in, in order, tries and faults included.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ForgetCalls empties Calls.
func (s *Server) ForgetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}
