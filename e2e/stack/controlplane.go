package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

const (
	// stopGrace is how long a process has to end by itself.
	stopGrace = 10 * time.Second
	// startTimeout bounds the time until a started process answers; Envoy compiles the module in it.
	startTimeout = 120 * time.Second
)

// ControlPlane is a control plane of a stack: a process that can be stopped, killed and started again with the same configuration,
// ports and state. It is safe for concurrent use.
type ControlPlane struct {
	// Name is "controlplane", or "controlplane-2" for a further replica.
	Name string
	// ConfigFile is its gateway YAML, StateDir where its last good document is, LogFile what it wrote.
	ConfigFile, StateDir, LogFile string
	// XDSAddress is where Envoys connect, host:port.
	XDSAddress string
	// URL is its own HTTP address: /healthz, /readyz, /metrics, /api/v1/status.
	URL string

	programs *Programs
	env      []string
	ports    []*Port

	proc restartable
}

// Start starts the process and waits until it answers /healthz, which does not mean that it has an index. The process must not run.
func (c *ControlPlane) Start(ctx context.Context) error {
	err := c.proc.start(Command{
		Name: c.Name, Path: c.programs.Adsidecar, Args: []string{"serve", "--config", c.ConfigFile}, Env: c.env, LogFile: c.LogFile,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c.Process().WaitFor(ctx, "healthy", answers200(c.URL+"/healthz"))
}

// Process is the present process, or the last one. Nil before Start.
func (c *ControlPlane) Process() *Process { return c.proc.present() }

// Kill kills it (SIGKILL).
func (c *ControlPlane) Kill() { c.Process().Kill() }

// Stop ends it as an operator would. The error says that it did not end in time.
func (c *ControlPlane) Stop() error { return c.Process().Stop(stopGrace) }

// WaitReady returns when it has published an index (/readyz).
func (c *ControlPlane) WaitReady(ctx context.Context) error {
	return c.Process().WaitFor(ctx, "ready", answers200(c.URL+"/readyz"))
}

// Status reads /api/v1/status into into, a pointer to whatever fields the caller wants.
func (c *ControlPlane) Status(ctx context.Context, into any) error {
	status, body, err := fetch(ctx, c.URL+"/api/v1/status")
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("read status: status %d: %.200s", status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	return nil
}

// Metrics reads /metrics: the value of each series, by name and labels as Prometheus writes them.
func (c *ControlPlane) Metrics(ctx context.Context) (map[string]float64, error) {
	return readSeries(ctx, c.URL+"/metrics")
}

// AddControlPlane makes and starts a further control plane: a replica with ports and a state of its own, on the same source. The first
// one is made by [Start].
func (s *Stack) AddControlPlane(ctx context.Context) (*ControlPlane, error) {
	if s.opts.GatewayFile != "" {
		return nil, errNoFurther
	}
	s.mu.Lock()
	n := len(s.controlPlanes) + 1
	c := &ControlPlane{Name: numbered("controlplane", n), programs: s.programs, env: s.opts.Env}
	s.controlPlanes = append(s.controlPlanes, c)
	s.mu.Unlock()
	if err := s.configureControlPlane(c, n); err != nil {
		return nil, err
	}
	return c, c.Start(ctx)
}

func (s *Stack) configureControlPlane(c *ControlPlane, n int) error {
	given := Ports{}
	if n == 1 {
		given = s.opts.Ports
	}
	xds, err := c.port(given.XDS)
	if err != nil {
		return err
	}
	admin, err := c.port(given.ControlPlane)
	if err != nil {
		return err
	}
	c.XDSAddress, c.URL = xds, "http://"+admin
	c.LogFile = filepath.Join(s.Dir, c.Name+".log")
	c.StateDir = filepath.Join(s.Dir, c.Name+"-state")
	if s.config != "" {
		c.ConfigFile = s.config
		return nil
	}
	c.ConfigFile = filepath.Join(s.Dir, c.Name+".yaml")
	// The listener is what this control plane tells Envoys that take theirs from it: the first one of the stack.
	return s.gatewayFile(c.ConfigFile, addresses{listener: s.listener, envoyAdmin: s.envoyAdmin, xds: xds, admin: admin}, c.StateDir)
}

// port is 127.0.0.1 with the given port, or with a free one for 0.
func (c *ControlPlane) port(given int) (string, error) {
	if given != 0 {
		return address(given), nil
	}
	p, err := ReservePort()
	if err != nil {
		return "", err
	}
	c.ports = append(c.ports, p)
	return p.Address(), nil
}

func (c *ControlPlane) close() error {
	var err error
	if p := c.Process(); p != nil {
		err = p.Stop(stopGrace)
	}
	for _, p := range c.ports {
		p.Release()
	}
	return err
}

// numbered is name for the first of its kind, name-2 for the second.
func numbered(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, n)
}
