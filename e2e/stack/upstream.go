package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Echo is what an [Upstream] answers to an HTTP request: what it got.
type Echo struct {
	Method  string
	Path    string
	Query   string
	Proto   string // HTTP/1.1 or HTTP/2.0
	Host    string
	Headers http.Header
	// Body is the first 64 KiB of the request's body; BodyBytes and BodySHA256 (hex) are of all of it.
	Body       string
	BodyBytes  int64
	BodySHA256 string
}

// Upstream is a game server that echoes. One port speaks HTTP/1.1, HTTP/2 without TLS, gRPC and WebSocket:
//
//   - HTTP answers 200 with an [Echo]. The query's echo-status=N asks for another status, echo-delay=DURATION for a delay.
//   - /healthz answers 200, or 503 after SetHealthy(false); so does gRPC's health service in its own way.
//   - WebSocket, on any path, sends every message back.
//   - gRPC, any method of any service, sends every message of the stream back. The header echo-method carries the method's
//     name, echo-authorization the request's authorization.
//
// It is safe for concurrent use.
type Upstream struct {
	port   *Port
	rpc    *grpc.Server
	health *health.Server

	mu     sync.Mutex
	server *http.Server // nil while it is down
	cancel context.CancelFunc
	sick   bool
	counts map[string]int
}

// maxEchoBody is how much of a body Echo.Body holds.
const maxEchoBody = 64 << 10

// StartUpstream starts an upstream.
func StartUpstream() (*Upstream, error) {
	port, err := ReservePort()
	if err != nil {
		return nil, err
	}
	u := &Upstream{port: port, counts: map[string]int{}, health: health.NewServer()}
	u.rpc = echoServer()
	grpc_health_v1.RegisterHealthServer(u.rpc, u.health)
	if err := u.Start(); err != nil {
		port.Release()
		return nil, err
	}
	return u, nil
}

// Address is 127.0.0.1:port, as in an upstream's endpoints.
func (u *Upstream) Address() string { return u.port.Address() }

// Count is how many requests, WebSocket connections or gRPC calls came in with this path, health checks and all.
func (u *Upstream) Count(path string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.counts[path]
}

// Counts is Count of every path that was asked for.
func (u *Upstream) Counts() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.counts)
}

// SetHealthy changes what health checks are answered.
func (u *Upstream) SetHealthy(healthy bool) {
	u.mu.Lock()
	u.sick = !healthy
	u.mu.Unlock()
	status := grpc_health_v1.HealthCheckResponse_SERVING
	if !healthy {
		status = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	u.health.SetServingStatus("", status)
}

// Start takes a stopped upstream up again, at the same address.
func (u *Upstream) Start() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.server != nil {
		return nil
	}
	l, err := Listen(u.port.Address())
	if err != nil {
		return fmt.Errorf("start upstream: %w", err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	// Stop ends the requests by it: closing the server does not reach a connection that became a WebSocket.
	requests, cancel := context.WithCancel(context.Background())
	u.cancel = cancel
	u.server = &http.Server{
		Handler: http.HandlerFunc(u.serve), Protocols: &protocols, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	go serve(u.server, l)
	return nil
}

// Stop takes it down: connections are cut, new ones refused. Stopping it twice does nothing.
func (u *Upstream) Stop() {
	u.mu.Lock()
	s, cancel := u.server, u.cancel
	u.server = nil
	u.mu.Unlock()
	if s != nil {
		cancel()
		_ = s.Close() // it is down either way
	}
}

// Close stops it and gives its port back.
func (u *Upstream) Close() {
	u.Stop()
	u.rpc.Stop()
	u.port.Release()
}

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.counts[r.URL.Path]++
	sick := u.sick
	u.mu.Unlock()
	switch {
	case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		u.rpc.ServeHTTP(w, r)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		echoWebSocket(w, r)
	case r.URL.Path == "/healthz":
		if sick {
			http.Error(w, "sick", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok")
	default:
		echoHTTP(w, r)
	}
}

func echoHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	query := r.URL.Query()
	if s := query.Get("echo-status"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 200 || n > 599 {
			http.Error(w, "echo-status is not a status", http.StatusBadRequest)
			return
		}
		status = n
	}
	if s := query.Get("echo-delay"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return
		}
	}
	e := Echo{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Proto: r.Proto, Host: r.Host, Headers: r.Header,
	}
	sum := sha256.New()
	head := &headWriter{most: maxEchoBody}
	n, err := io.Copy(io.MultiWriter(sum, head), r.Body)
	if err != nil {
		return // the client is gone
	}
	e.Body, e.BodyBytes, e.BodySHA256 = string(head.data), n, hex.EncodeToString(sum.Sum(nil))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Echo", "1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // the client is gone if it fails
}

// headWriter keeps the first bytes and drops the rest.
type headWriter struct {
	data []byte
	most int
}

func (w *headWriter) Write(p []byte) (int, error) {
	w.data = append(w.data, p[:min(len(p), w.most-len(w.data))]...)
	return len(p), nil
}

func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow() //nolint:errcheck // it is closed either way
	c.SetReadLimit(16 << 20)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return // closed by the client, or by Stop
		}
		if c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
