package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// EnvoyOptions say how an Envoy gets its configuration.
type EnvoyOptions struct {
	// Static puts listener and clusters into the bootstrap; the index still comes from the control plane. Two Envoys on one machine
	// cannot take their listener from one control plane: it would have one address. So each further Envoy of a stack is static.
	Static bool
	// WithIndex, with Static, puts the index that the source gives now into the bootstrap.
	WithIndex bool
	// ControlPlane is the one it connects to. Nil: the stack's first. For an xDS server of a test's own, one with XDSAddress and
	// URL set is enough.
	ControlPlane *ControlPlane
	// Concurrency is the number of workers. 0: that of the stack's options.
	Concurrency int
	// Dir is the process's working directory, where a relative ads.module is looked for. Empty: this program's.
	Dir string
	// NoWait returns as soon as the process runs, for an Envoy that is not to become ready.
	NoWait bool
}

// Envoy is an Envoy of a stack: a process that can be stopped, killed, paused and started again with the same bootstrap and ports.
// It is safe for concurrent use.
type Envoy struct {
	// Name is its node ID: "envoy", "envoy-2", ….
	Name string
	// BootstrapFile is what it was started with, LogFile what it wrote: its own log and the JSON access log, line by line.
	BootstrapFile, LogFile string
	// BaseURL is the public listener's URL, AdminURL that of Envoy's admin.
	BaseURL, AdminURL string

	options EnvoyOptions
	binary  string
	ports   []*Port

	proc restartable
}

// AddEnvoy makes a bootstrap by `adsidecar bootstrap` and starts an Envoy with it. It returns when that is live, unless told otherwise.
func (s *Stack) AddEnvoy(ctx context.Context, o EnvoyOptions) (*Envoy, error) {
	e, n, err := s.newEnvoy(o)
	if err != nil {
		return nil, err
	}
	if e.options.Concurrency == 0 {
		e.options.Concurrency = s.opts.Concurrency
	}
	if err := s.configureEnvoy(ctx, e, n); err != nil {
		return nil, err
	}
	return e, e.Start(ctx)
}

// newEnvoy lists a further Envoy, the nth.
func (s *Stack) newEnvoy(o EnvoyOptions) (e *Envoy, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = len(s.envoys) + 1
	if n > 1 && s.opts.GatewayFile != "" {
		return nil, 0, errNoFurther
	}
	if n > 1 && !o.Static {
		return nil, 0, errors.New("a further Envoy of a stack must be static: see EnvoyOptions.Static")
	}
	e = &Envoy{Name: numbered("envoy", n), options: o, binary: s.tools.Envoy}
	s.envoys = append(s.envoys, e)
	return e, n, nil
}

func (s *Stack) configureEnvoy(ctx context.Context, e *Envoy, n int) error {
	cp := e.options.ControlPlane
	if cp == nil {
		cp = s.ControlPlane()
	}
	a := addresses{listener: s.listener, envoyAdmin: s.envoyAdmin, xds: cp.XDSAddress, admin: hostPort(cp.URL)}
	if n > 1 {
		for _, to := range []*string{&a.listener, &a.envoyAdmin} {
			p, err := ReservePort()
			if err != nil {
				return err
			}
			e.ports = append(e.ports, p)
			*to = p.Address()
		}
	}
	e.BaseURL, e.AdminURL = "http://"+a.listener, "http://"+a.envoyAdmin
	e.BootstrapFile = filepath.Join(s.Dir, e.Name+"-bootstrap.yaml")
	e.LogFile = filepath.Join(s.Dir, e.Name+".log")
	config := s.config
	if config == "" {
		config = filepath.Join(s.Dir, e.Name+".yaml")
		if err := s.gatewayFile(config, a, cp.StateDir); err != nil {
			return err
		}
	}
	args := []string{"bootstrap", "--config", config}
	if s.opts.GatewayFile == "" { // which names its Envoy itself
		args = append(args, "--node-id", e.Name)
	}
	if e.options.Static {
		args = append(args, "--static")
	}
	if e.options.WithIndex {
		args = append(args, "--with-index")
	}
	return s.bootstrap(ctx, e.BootstrapFile, args)
}

func (s *Stack) bootstrap(ctx context.Context, file string, args []string) error {
	cmd := exec.CommandContext(ctx, s.programs.Adsidecar, args...)
	cmd.Env = append(os.Environ(), s.opts.Env...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("adsidecar bootstrap: %w\n%s", err, lastLines(string(exit.Stderr), tailLines))
		}
		return fmt.Errorf("adsidecar bootstrap: %w", err)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		return fmt.Errorf("write the bootstrap: %w", err)
	}
	return nil
}

// Start starts the process and, unless NoWait is set, waits until it is live: its listener is open. The process must not run.
func (e *Envoy) Start(ctx context.Context) error {
	err := e.proc.start(Command{
		Name: e.Name, Path: e.binary, Dir: e.options.Dir, LogFile: e.LogFile,
		// Hot restart shares memory between all Envoys of a machine that do not say otherwise.
		Args: []string{"-c", e.BootstrapFile, "--concurrency", fmt.Sprint(e.options.Concurrency), "--disable-hot-restart", "--log-level", "info"},
	})
	if err != nil || e.options.NoWait {
		return err
	}
	return e.WaitLive(ctx)
}

// WaitLive returns when Envoy's initialisation is over and its listener open.
func (e *Envoy) WaitLive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return e.Process().WaitFor(ctx, "live", answers200(e.AdminURL+"/ready"))
}

// Process is the present process, or the last one. Nil before Start.
func (e *Envoy) Process() *Process { return e.proc.present() }

// Kill kills it (SIGKILL).
func (e *Envoy) Kill() { e.Process().Kill() }

// Stop ends it. The error says that it did not end in time.
func (e *Envoy) Stop() error { return e.Process().Stop(stopGrace) }

// Stats reads Envoy's statistics as Prometheus series: the value of each by name and labels.
func (e *Envoy) Stats(ctx context.Context) (map[string]float64, error) {
	return readSeries(ctx, e.AdminURL+"/stats/prometheus")
}

func (e *Envoy) close() error {
	var err error
	if p := e.Process(); p != nil {
		err = p.Stop(stopGrace)
	}
	for _, p := range e.ports {
		p.Release()
	}
	return err
}
