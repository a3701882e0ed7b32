package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"adsidecar/e2e/stack"
)

const (
	// pushTimeout bounds a push: whichever takes longer has failed.
	pushTimeout = 90 * time.Second
	// rejectedEvery is how often it is looked whether Envoy has rejected a push.
	rejectedEvery = 2 * time.Second
	pushClient    = "bench"
	pushIssuer    = "https://issuer.example.com/bench"
)

// pushRig is a control plane that reads a document from a file, an Envoy, and standing connections to it. Nothing but a change of the file
// makes the control plane read it.
type pushRig struct {
	stack  *stack.Stack
	issuer *stack.Issuer
	doc    *document
	load   *standing
	bytes  int // of the index
}

// startPushRig returns when the first revision is served on all connections.
func startPushRig(ctx context.Context, o options, ads, workers int) (_ *pushRig, err error) {
	r := new(pushRig)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	dir, err := os.MkdirTemp("", "adsidecar-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	file := filepath.Join(dir, "campaigns.json")
	if r.doc, err = newDocument(file, ads); err != nil {
		return nil, err
	}
	if r.issuer, err = stack.StartIssuer(pushIssuer); err != nil {
		return nil, err
	}
	token, err := r.issuer.Sign(stack.Access(pushClient))
	if err != nil {
		return nil, err
	}
	r.stack, err = stack.Start(ctx, stack.Options{
		Tools: o.tools, Programs: o.programs, NoMoto: true, Issuers: []stack.TrustedIssuer{stack.Trust(r.issuer, pushClient)},
		Concurrency: workers, Gateway: pushGateway(file),
	})
	if err != nil {
		return nil, err
	}
	if err := r.stack.Envoy().WaitIndex(ctx, "Bearer "+token); err != nil {
		return nil, err
	}
	r.load, err = stand(ctx, r.stack.Envoy(), token, workers)
	if err != nil {
		return nil, err
	}
	_, err = r.load.wait(ctx, 0)
	return r, err
}

// pushGateway reads the document from a file, with the greatest limits there are.
func pushGateway(file string) string {
	return fmt.Sprintf("campaigns: {url: null, file: %q, poll_interval: 1h, max_document_mib: 1024, max_index_mib: 400}", file)
}

func (r *pushRig) close() error {
	var err error
	if r.load != nil {
		r.load.close()
	}
	if r.stack != nil {
		err = r.stack.Close()
	}
	if r.issuer != nil {
		r.issuer.Close()
	}
	if r.doc != nil {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(r.doc.file)))
	}
	return err
}

// pushed is one push. All times but read are counted from there.
type pushed struct {
	read      time.Time     // when the control plane had read the changed document
	compiled  time.Duration // it was decoded and compiled
	offered   time.Duration // it was handed to the connections of Envoys
	confirmed time.Duration // Envoy's main thread had taken it
	served    time.Duration // every worker had answered with it
}

// push changes the document and waits until all connections are answered with it.
func (r *pushRig) push(ctx context.Context) (pushed, error) {
	before, err := r.compileSeconds(ctx)
	if err != nil {
		return pushed{}, err
	}
	if err := r.doc.next(); err != nil {
		return pushed{}, err
	}
	firsts, err := r.wait(ctx)
	if err != nil {
		return pushed{}, fmt.Errorf("push %d: %w", r.doc.revision, err)
	}
	s, err := r.confirmed(ctx)
	if err != nil {
		return pushed{}, err
	}
	after, err := r.compileSeconds(ctx)
	if err != nil {
		return pushed{}, err
	}
	r.bytes = s.Index.Bytes
	read := s.Index.ReadAt
	return pushed{
		read: read, compiled: time.Duration((after - before) * float64(time.Second)),
		offered: s.offered().Sub(read), confirmed: s.confirmed().Sub(read), served: slices.MaxFunc(firsts, time.Time.Compare).Sub(read),
	}, nil
}

// wait returns when each worker has first answered with the present revision, or an error once Envoy has rejected it.
func (r *pushRig) wait(ctx context.Context) ([]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	for {
		some, cancel := context.WithTimeout(ctx, rejectedEvery)
		firsts, err := r.load.wait(some, r.doc.revision)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return firsts, err
		}
		s, err := r.status(ctx)
		if err != nil {
			return nil, err
		}
		if text := s.rejected(); text != "" {
			return nil, fmt.Errorf("envoy has rejected the index: %s", text)
		}
	}
}

// confirmed returns the status once Envoy's confirmation is in it: the workers may be served the index before that.
func (r *pushRig) confirmed(ctx context.Context) (*pushStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	var s *pushStatus
	return s, stack.Poll(ctx, func(ctx context.Context) error {
		var err error
		if s, err = r.status(ctx); err == nil && s.confirmed().Before(s.offered()) {
			err = errors.New("envoy has not confirmed the index")
		}
		return err
	})
}

func (r *pushRig) compileSeconds(ctx context.Context) (float64, error) {
	m, err := r.stack.ControlPlane().Metrics(ctx)
	return m["adsidecar_compile_seconds_sum"], err
}

// pushStatus is what is read of the control plane's status.
type pushStatus struct {
	Index struct {
		Bytes  int       `json:"bytes"`
		ReadAt time.Time `json:"read_at"`
	} `json:"index"`
	XDS struct {
		Types []struct {
			Type    string `json:"type"`
			Offered struct {
				Since time.Time `json:"since"`
			} `json:"offered"`
			Quarantined []struct {
				Text string `json:"text"`
			} `json:"quarantined"`
		} `json:"types"`
		Envoys []struct {
			Types []struct {
				Type    string `json:"type"`
				LastAck struct {
					At time.Time `json:"at"`
				} `json:"last_ack"`
				LastNack struct {
					Text    string `json:"text"`
					Current bool   `json:"current"`
				} `json:"last_nack"`
			} `json:"types"`
		} `json:"envoys"`
	} `json:"xds"`
}

func (r *pushRig) status(ctx context.Context) (*pushStatus, error) {
	s := new(pushStatus)
	return s, r.stack.ControlPlane().Status(ctx, s)
}

const indexType = "ecds" // that of the index

func (s *pushStatus) offered() time.Time {
	for _, t := range s.XDS.Types {
		if t.Type == indexType {
			return t.Offered.Since
		}
	}
	return time.Time{}
}

func (s *pushStatus) confirmed() time.Time {
	for _, e := range s.XDS.Envoys {
		for _, t := range e.Types {
			if t.Type == indexType {
				return t.LastAck.At
			}
		}
	}
	return time.Time{}
}

// rejected is what Envoy said of an index that it has not taken; "": it has said nothing.
func (s *pushStatus) rejected() string {
	for _, t := range s.XDS.Types {
		for _, q := range t.Quarantined {
			return q.Text
		}
	}
	for _, e := range s.XDS.Envoys {
		for _, t := range e.Types {
			if t.LastNack.Current {
				return t.LastNack.Text
			}
		}
	}
	return ""
}

// resident is the memory of Envoy's process that is in use, in bytes; 0 where the system does not tell.
func (r *pushRig) resident() float64 { return residentBytes(r.stack.Envoy().Process().PID()) }

// residentBytes reads proc_pid_status(5).
func residentBytes(pid int) float64 {
	all, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(all)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return 0
			}
			return kib * 1024
		}
	}
	return 0
}
