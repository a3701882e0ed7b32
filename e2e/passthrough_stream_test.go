package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"adsidecar/e2e/stack"
)

// rpc is a gRPC client of the gateway.
func rpc(t *testing.T, s *stack.Stack) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(s.BaseURL(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// withToken adds the token, and the header of [send].
func withToken(ctx context.Context, token string) context.Context {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-test-panic", "trap")
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", token)
}

// call is a call of one message, which comes back.
func call(ctx context.Context, conn *grpc.ClientConn, method, message string, opts ...grpc.CallOption) error {
	out := &wrapperspb.StringValue{}
	if err := conn.Invoke(ctx, method, wrapperspb.String(message), out, opts...); err != nil {
		return err
	}
	if out.GetValue() != message {
		return fmt.Errorf("%s: %d bytes came back for %d", method, len(out.GetValue()), len(message))
	}
	return nil
}

// chat is a stream in both directions. say sends a message and waits for it to come back.
type chat struct {
	say  func(message string) error
	done func() error
}

func dialChat(ctx context.Context, conn *grpc.ClientConn, method string) (*chat, error) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	say := func(message string) error {
		if err := stream.SendMsg(wrapperspb.String(message)); err != nil {
			return err
		}
		got := &wrapperspb.StringValue{}
		if err := stream.RecvMsg(got); err != nil {
			return err
		}
		if got.GetValue() != message {
			return fmt.Errorf("%q came back for %q", got.GetValue(), message)
		}
		return nil
	}
	done := func() error {
		if err := stream.CloseSend(); err != nil {
			return err
		}
		if err := stream.RecvMsg(&wrapperspb.StringValue{}); !errors.Is(err, io.EOF) {
			return fmt.Errorf("the stream does not end: %w", err)
		}
		return nil
	}
	return &chat{say: say, done: done}, nil
}

// dialWebSocket is a chat over WebSocket.
func dialWebSocket(ctx context.Context, url, token string) (*chat, *http.Response, error) {
	header := http.Header{"X-Test-Panic": {"trap"}}
	if token != "" {
		header.Set("Authorization", token)
	}
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, resp, err
	}
	c.SetReadLimit(1 << 20)
	say := func(message string) error {
		if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			return err
		}
		_, got, err := c.Read(ctx)
		if err == nil && string(got) != message {
			err = fmt.Errorf("%d bytes came back for %d", len(got), len(message))
		}
		return err
	}
	return &chat{say: say, done: func() error { return c.Close(websocket.StatusNormalClosure, "") }}, resp, nil
}

func testPassThroughStreams(t *testing.T, s *stack.Stack, u *stack.Upstream) {
	conn := rpc(t, s)
	const lobby, open = "/lobby.v1.Lobby/", "/open.v1.Lobby/"

	t.Run("gRPC calls, with a token where it is needed", func(t *testing.T) {
		var header metadata.MD
		ctx := withToken(deadline(t, 20*time.Second), "Bearer "+s.Token())
		require.NoError(t, call(ctx, conn, lobby+"Join", "hello", grpc.Header(&header)))
		require.Equal(t, []string{lobby + "Join"}, header.Get("echo-method"))
		require.Equal(t, []string{"Bearer " + s.Token()}, header.Get("echo-authorization"))
		require.NoError(t, call(ctx, conn, lobby+"Join", strings.Repeat("x", 1<<20)), "many times the buffers")
		require.NoError(t, call(ctx, conn, "/prod"+lobby+"Join", "hello"))
		require.NoError(t, call(withToken(deadline(t, 20*time.Second), ""), conn, open+"Join", "hello"))
	})
	t.Run("gRPC without a token is UNAUTHENTICATED", func(t *testing.T) {
		for _, token := range []string{"", "Bearer x"} {
			err := call(withToken(deadline(t, 20*time.Second), token), conn, lobby+"Leave", "hello")
			require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
		}
		require.Zero(t, u.Count(lobby+"Leave"))
	})
	t.Run("gRPC to a method without a route is UNIMPLEMENTED", func(t *testing.T) {
		err := call(withToken(deadline(t, 20*time.Second), s.Token()), conn, "/other.v1.Other/Get", "hello")
		require.Equal(t, codes.Unimplemented, status.Code(err), "%v", err)
	})
	t.Run("a WebSocket needs a token where its route does", func(t *testing.T) {
		_, resp, err := dialWebSocket(deadline(t, 20*time.Second), s.BaseURL()+"/live/room", "")
		require.Error(t, err)
		require.Equal(t, 401, resp.StatusCode)
		require.Zero(t, u.Count("/live/room"))
	})
	t.Run("streams outlive the timeouts of requests and routes", func(t *testing.T) {
		ctx := deadline(t, 60*time.Second)
		chats := map[string]*chat{}
		var err error
		chats["gRPC"], err = dialChat(withToken(ctx, s.Token()), conn, lobby+"Chat")
		require.NoError(t, err)
		chats["public gRPC"], err = dialChat(withToken(ctx, ""), conn, "/development"+open+"Chat")
		require.NoError(t, err)
		for path, token := range map[string]string{"/live/room": "Bearer " + s.Token(), "/prod/live/room": s.Token(), "/watch": ""} {
			chats["WebSocket "+path], _, err = dialWebSocket(ctx, s.BaseURL()+path, token)
			require.NoError(t, err, path)
		}
		// request_timeout is 2 s, that of /watch 500 ms. Nothing moves on a stream for longer than both.
		for message, rest := "m", 0; rest < 2; message, rest = strings.Repeat(message, 50_000), rest+1 {
			for name, c := range chats {
				require.NoError(t, c.say(message), name)
			}
			if rest == 0 {
				<-time.After(2500 * time.Millisecond)
			}
		}
		for name, c := range chats {
			require.NoError(t, c.done(), name)
		}
		require.Equal(t, 2, u.Count("/live/room"), "one by its stage")
	})
}

// busy runs f again and again, each in a goroutine of its own, until the returned function is called: it says how often each ran. The
// first error of any ends the test.
func busy(t *testing.T, work map[string]func(ctx context.Context) error) (stop func() map[string]int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts, errs := map[string]int{}, []error{}
	for name, f := range work {
		wg.Go(func() {
			for ctx.Err() == nil {
				one, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // what has begun is finished
				err := f(one)
				cancel()
				mu.Lock()
				counts[name]++
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", name, err))
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return func() map[string]int {
		cancel()
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		return counts
	}
}

// gameTraffic is a request of each kind, and a message on streams that stay open from now on.
func gameTraffic(t *testing.T, s *stack.Stack) map[string]func(ctx context.Context) error {
	t.Helper()
	request := func(c *http.Client, path string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			a, err := send(ctx, c, s.BaseURL()+path, trip{method: "POST", token: s.Token(), body: make([]byte, 100<<10)})
			if err == nil && a.Status != 200 {
				err = errors.New(a.String())
			}
			return err
		}
	}
	conn := rpc(t, s)
	stream, err := dialChat(withToken(t.Context(), s.Token()), conn, "/lobby.v1.Lobby/Chat")
	require.NoError(t, err)
	socket, _, err := dialWebSocket(t.Context(), s.BaseURL()+"/live/room", s.Token())
	require.NoError(t, err)
	return map[string]func(ctx context.Context) error{
		"HTTP/1 with a token": request(client(t, false), "/game/x"),
		"HTTP/2 with a token": request(client(t, true), "/h2/x"),
		"HTTP/1 public":       request(client(t, false), "/open/x"),
		"gRPC call": func(ctx context.Context) error {
			return call(withToken(ctx, s.Token()), conn, "/lobby.v1.Lobby/Join", "m")
		},
		"one gRPC stream": func(context.Context) error { return stream.say("m") },
		"one WebSocket":   func(context.Context) error { return socket.say("m") },
		"a WebSocket each time": func(ctx context.Context) error {
			c, _, err := dialWebSocket(ctx, s.BaseURL()+"/watch", "")
			if err != nil {
				return err
			}
			return errors.Join(c.say("m"), c.done())
		},
	}
}

// TestPassThroughDuringPushes: 20 indexes are pushed while game traffic runs, and it does not notice.
func TestPassThroughDuringPushes(t *testing.T) {
	const pushes = 20
	u := upstream(t)
	s := served(t, stack.Options{Gateway: passing(u), Campaigns: document(t, ad("v0", "us", "eng")), PollInterval: 100 * time.Millisecond, Concurrency: 2})
	c := connect(t, s)
	stop := busy(t, gameTraffic(t, s))
	for i := range pushes {
		id := fmt.Sprintf("v%d", i+1)
		s.Source.SetBody(document(t, ad(id, "us", "eng")))
		eventually(t, 30*time.Second, c.serves("us", "eng", id))
	}
	counts := stop()
	t.Logf("during %d pushes, without a failure: %v", pushes, counts)
	require.Len(t, counts, 7)
	for name, n := range counts {
		require.Greater(t, n, pushes, name)
	}
	require.Equal(t, 1, u.Count("/live/room"), "the WebSocket was not cut")
	require.Equal(t, 1, u.Count("/lobby.v1.Lobby/Chat"), "the gRPC stream was not cut")
	pushed, err := s.ControlPlane().Metrics(deadline(t, 10*time.Second))
	require.NoError(t, err)
	require.GreaterOrEqual(t, pushed[`adsidecar_xds_pushes_total{type="ecds"}`], float64(pushes))
	for _, kind := range []string{"lds", "cds"} { // a changed listener would drain its connections
		require.Equal(t, 1.0, pushed[`adsidecar_xds_pushes_total{type="`+kind+`"}`], kind)
	}
}

// TestPassThroughWithoutAnIndex: what stands behind the gateway does not depend on campaigns.
func TestPassThroughWithoutAnIndex(t *testing.T) {
	u := upstream(t)
	dead, err := stack.StartSource(stack.SourceConfig{Body: document(t, ad("a", "us", "eng"))})
	require.NoError(t, err)
	t.Cleanup(dead.Close)
	dead.SetMode(stack.SourceFails)
	for name, o := range map[string]stack.Options{
		"the control plane has none":           {Source: dead},
		"no control plane, a static bootstrap": {Source: dead, NoControlPlane: true, Envoy: stack.EnvoyOptions{Static: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Gateway = passing(u)
			s := start(t, o)
			for kind, f := range gameTraffic(t, s) {
				require.NoError(t, f(deadline(t, 20*time.Second)), kind)
			}
			requireError(t, get(t, s, "?country=us&lang=eng"), 503, "campaigns_unavailable", "")
			if o.NoControlPlane {
				return
			}
			stop := busy(t, gameTraffic(t, s))
			dead.SetMode(stack.SourceServes)
			require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
			t.Logf("while the first index came, without a failure: %v", stop())
			dead.SetMode(stack.SourceFails)
		})
	}
}
