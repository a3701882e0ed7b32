package dynamostore

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fault is what a proxy does with a request.
type fault func(w http.ResponseWriter, forward func() *http.Response)

// proxy stands between the SDK and moto and fails as it is told to.
//
// It sends one request at a time: moto neither isolates its transactions, whose rollback puts whole tables back, nor checks a
// condition and writes in one step. DynamoDB does both.
type proxy struct {
	server  *httptest.Server
	target  string
	client  *http.Client
	sending sync.Mutex

	mu     sync.Mutex
	faults map[string][]fault  // by operation, for the requests to come
	seen   map[string][]string // bodies
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{
		target: target, client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute},
		faults: map[string][]fault{}, seen: map[string][]string{},
	}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// next gives the coming requests of an operation these faults, one each.
func (p *proxy) next(operation string, faults ...fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[operation] = append(p.faults[operation], faults...)
	p.seen[operation] = nil
}

// reset ends all faults.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.faults)
}

// requests are the bodies of an operation that came since next.
func (p *proxy) requests(operation string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[operation]
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f := pass
	p.mu.Lock()
	p.seen[operation] = append(p.seen[operation], string(body))
	if waiting := p.faults[operation]; len(waiting) > 0 {
		f, p.faults[operation] = waiting[0], waiting[1:]
	}
	p.mu.Unlock()
	f(w, func() *http.Response {
		p.sending.Lock()
		defer p.sending.Unlock()
		out := r.Clone(r.Context())
		out.RequestURI, out.Body = "", io.NopCloser(bytes.NewReader(body))
		out.URL.Scheme, out.URL.Host = "http", strings.TrimPrefix(p.target, "http://")
		answer, err := p.client.Do(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		content, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		answer.Body = io.NopCloser(bytes.NewReader(content))
		return answer
	})
}

// pass is no fault.
func pass(w http.ResponseWriter, forward func() *http.Response) {
	answer := forward()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// lost applies the request and closes the connection instead of answering.
func lost(_ http.ResponseWriter, forward func() *http.Response) {
	forward()
	panic(http.ErrAbortHandler)
}

// applied500 applies the request and answers 500.
func applied500(w http.ResponseWriter, forward func() *http.Response) {
	forward()
	answers(http.StatusInternalServerError, "InternalServerError", "")(w, nil)
}

// refused closes the connection without applying anything.
func refused(http.ResponseWriter, func() *http.Response) { panic(http.ErrAbortHandler) }

// answers gives this error without applying anything. more is further JSON of the body.
func answers(status int, code, more string) fault {
	return func(w http.ResponseWriter, _ func() *http.Response) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"on purpose"`+more+`}`)
	}
}

func times(n int, f fault) []fault {
	all := make([]fault, n)
	for i := range all {
		all[i] = f
	}
	return all
}
