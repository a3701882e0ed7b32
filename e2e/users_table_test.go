package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// An isolatedTable is an address of moto that passes on one request at a time, each to its end: moto neither isolates its transactions,
// whose rollback puts whole tables back, nor checks a condition and writes in one step. DynamoDB does both.
//
// It can keep the answers of writes back, which have been applied then.
type isolatedTable struct {
	url    string
	moto   string
	client *http.Client
	one    sync.Mutex

	mu   sync.Mutex
	gate chan struct{} // nil: answers pass
	held int
}

func startIsolatedTable(t *testing.T, endpoint string) *isolatedTable {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	d := &isolatedTable{moto: endpoint, client: &http.Client{Transport: transport, Timeout: time.Minute}}
	server := httptest.NewServer(d)
	d.url = server.URL
	t.Cleanup(func() {
		d.release()
		server.Close()
		transport.CloseIdleConnections()
	})
	return d
}

// ServeHTTP implements [http.Handler].
func (d *isolatedTable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever sent it is gone
	}
	status, header, answer, err := d.forward(r, body)
	if err != nil {
		http.Error(w, "", http.StatusBadGateway)
		return
	}
	if _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation == "UpdateItem" || operation == "TransactWriteItems" {
		d.wait()
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	w.Write(answer)
}

func (d *isolatedTable) forward(r *http.Request, body []byte) (status int, header http.Header, answer []byte, err error) {
	d.one.Lock()
	defer d.one.Unlock()
	// Also when the client is gone: what moto has begun must not meet the next request.
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, d.moto+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header = r.Header.Clone()
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

func (d *isolatedTable) wait() {
	d.mu.Lock()
	gate := d.gate
	if gate != nil {
		d.held++
	}
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// hold keeps back the answers of updates, and of creates with a key, until release. It returns when there are n.
func (d *isolatedTable) hold(t *testing.T, n int) {
	t.Helper()
	d.mu.Lock()
	d.gate, d.held = make(chan struct{}), 0
	d.mu.Unlock()
	eventually(t, 30*time.Second, func(context.Context) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.held < n {
			return fmt.Errorf("%d of %d answers are held", d.held, n)
		}
		return nil
	})
}

// release lets all answers pass.
func (d *isolatedTable) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate != nil {
		close(d.gate)
		d.gate = nil
	}
}
