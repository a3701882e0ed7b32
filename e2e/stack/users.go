package stack

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adsidecar/envoy/gateway"
)

// The stores of a user service.
const (
	// Bolt is a file in the stack's folder, for one process.
	Bolt = "bbolt"
	// DynamoDB is moto's, for any number of processes.
	DynamoDB = "dynamodb"
)

// usersGrace is longer than stopGrace: a request under way may take as long as the user pool does.
const usersGrace = 15 * time.Second

// UsersOptions say how the user service of a stack runs. The zero value is one process with an embedded store.
type UsersOptions struct {
	// Store is Bolt or DynamoDB. Empty: Bolt.
	Store string
	// Table is DynamoDB's. Empty: "unouserdb", and on a moto that is shared one that no other stack has.
	Table string
	// Replicas is how many processes serve all endpoints. 0: 1.
	Replicas int
	// Serve are the endpoints of each process instead, for an endpoint's own processes; Envoy finds it at those alone.
	Serve [][]gateway.Endpoint
	// Access is users.access. Empty: the gateway's default.
	Access gateway.Access
	// NoStart configures the processes and starts none, so that their Start can be called later.
	NoStart bool
}

// check returns what cannot be run.
func (o *UsersOptions) check(noMoto, isFile bool) error {
	processes, storing := max(o.Replicas, 1), max(o.Replicas, 1)
	if len(o.Serve) > 0 {
		processes, storing = len(o.Serve), 0
		for _, endpoints := range o.Serve {
			if usesStore(endpoints) {
				storing++
			}
		}
	}
	switch {
	case o.Store != "" && o.Store != Bolt && o.Store != DynamoDB:
		return errors.New("users: the store " + o.Store + " is neither " + Bolt + " nor " + DynamoDB)
	case o.Store == DynamoDB && noMoto:
		return errors.New("users: DynamoDB is moto's, and there is none")
	case len(o.Serve) > 0 && o.Replicas > 0:
		return errors.New("users: one of Replicas and Serve")
	case o.Store != DynamoDB && storing > 1:
		return errors.New("users: an embedded store is one process's: use " + DynamoDB)
	case isFile && processes > 1:
		return errNoFurther
	}
	return nil
}

// usesStore reports whether a process with these endpoints opens the store; none are all.
func usesStore(endpoints []gateway.Endpoint) bool {
	return len(endpoints) == 0 || slices.ContainsFunc(endpoints, func(e gateway.Endpoint) bool { return e != gateway.Authenticate })
}

// Users is a user service of a stack: a process that can be stopped, killed, paused and started again with the same configuration, port
// and store. It is safe for concurrent use.
type Users struct {
	// Name is "users", or "users-2" for a further process.
	Name string
	// ConfigFile is its gateway YAML, LogFile what it wrote.
	ConfigFile, LogFile string
	// URL is its own HTTP address: the endpoints, /healthz, /readyz, /metrics.
	URL string
	// Serve are its endpoints. Empty: all.
	Serve []gateway.Endpoint

	programs *Programs
	env      []string
	port     *Port // nil: a fixed one

	proc restartable
}

// Start starts the process and waits until it answers /healthz, which does not mean that its store and the user pool do. The process must
// not run.
func (u *Users) Start(ctx context.Context) error {
	args := []string{"serve", "--config", u.ConfigFile}
	if len(u.Serve) > 0 {
		args = append(args, "--serve", join(u.Serve))
	}
	err := u.proc.start(Command{Name: u.Name, Path: u.programs.AdsidecarUsers, Args: args, Env: u.env, LogFile: u.LogFile})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return u.Process().WaitFor(ctx, "healthy", answers200(u.URL+"/healthz"))
}

func join(endpoints []gateway.Endpoint) string {
	names := make([]string, len(endpoints))
	for i, e := range endpoints {
		names[i] = string(e)
	}
	return strings.Join(names, ",")
}

// WaitReady returns when it can serve all its endpoints (/readyz).
func (u *Users) WaitReady(ctx context.Context) error {
	return u.Process().WaitFor(ctx, "ready", answers200(u.URL+"/readyz"))
}

// Process is the present process, or the last one. Nil before Start.
func (u *Users) Process() *Process { return u.proc.present() }

// Kill kills it (SIGKILL).
func (u *Users) Kill() { u.Process().Kill() }

// Stop ends it as an operator would. The error says that it did not end in time.
func (u *Users) Stop() error { return u.Process().Stop(usersGrace) }

// Send is [Send] to a path of the process itself, past Envoy.
func (u *Users) Send(ctx context.Context, method, path string, header http.Header, body []byte) (*Answer, error) {
	return Send(ctx, method, u.URL+path, header, body)
}

// Metrics reads /metrics: the value of each series, by name and labels as Prometheus writes them.
func (u *Users) Metrics(ctx context.Context) (map[string]float64, error) {
	return readSeries(ctx, u.URL+"/metrics")
}

func (u *Users) close() error {
	var err error
	if p := u.Process(); p != nil {
		err = p.Stop(usersGrace)
	}
	if u.port != nil {
		u.port.Release()
	}
	return err
}

// Users is the first user service. Nil without one.
func (s *Stack) Users() *Users {
	all := s.AllUsers()
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// AllUsers are all processes of the user service, in order of making.
func (s *Stack) AllUsers() []*Users {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.users)
}

// AddUsers makes and starts a further process of the user service, with these endpoints or all. Envoys that are there already do not know
// it; one that is added later does.
func (s *Stack) AddUsers(ctx context.Context, endpoints ...gateway.Endpoint) (*Users, error) {
	switch {
	case s.opts.Users == nil:
		return nil, errors.New("users: the stack has no user service")
	case s.opts.GatewayFile != "":
		return nil, errNoFurther
	case s.opts.Users.Store != DynamoDB && usesStore(endpoints):
		return nil, errors.New("users: an embedded store is one process's: use " + DynamoDB)
	}
	u, err := s.reserveUser(0, endpoints)
	if err != nil {
		return nil, err
	}
	if err := s.configureUser(u); err != nil {
		return nil, err
	}
	return u, u.Start(ctx)
}

// reserveUser lists a further process at a port of its own.
func (s *Stack) reserveUser(given int, endpoints []gateway.Endpoint) (*Users, error) {
	u := &Users{programs: s.programs, Serve: endpoints}
	at := address(given)
	if given == 0 {
		var err error
		if u.port, err = ReservePort(); err != nil {
			return nil, err
		}
		at = u.port.Address()
	}
	u.URL = "http://" + at
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, u)
	u.Name = numbered("users", len(s.users))
	u.LogFile = filepath.Join(s.Dir, u.Name+".log")
	return u, nil
}

// WaitUsers returns when this Envoy finds each of the endpoints ready, or of all if none are given: their health paths answer 200.
func (e *Envoy) WaitUsers(ctx context.Context, endpoints ...gateway.Endpoint) error {
	if len(endpoints) == 0 {
		endpoints = gateway.Endpoints
	}
	for _, endpoint := range endpoints {
		err := e.Process().WaitFor(ctx, "serving /"+string(endpoint), answers200(e.BaseURL+"/hc-"+string(endpoint)))
		if err != nil {
			return err
		}
	}
	return nil
}
