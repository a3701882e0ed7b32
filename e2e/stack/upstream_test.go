package stack

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func startUpstream(t *testing.T) *Upstream {
	t.Helper()
	u, err := StartUpstream()
	require.NoError(t, err)
	t.Cleanup(u.Close)
	return u
}

func TestUpstreamEchoesHTTP(t *testing.T) {
	for proto, version := range map[string]string{"http/1": "HTTP/1.1", "http/2": "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			u := startUpstream(t)
			var protocols http.Protocols
			protocols.SetHTTP1(proto == "http/1")
			protocols.SetUnencryptedHTTP2(proto == "http/2")
			transport := &http.Transport{Protocols: &protocols}
			defer transport.CloseIdleConnections()
			body := strings.Repeat("x", maxEchoBody+1000)
			req, err := http.NewRequestWithContext(within(t, patience), http.MethodPut, "http://"+u.Address()+"/game/a%2Fb?x=1&echo-status=418",
				strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("X-Player", "p")
			res, err := (&http.Client{Transport: transport}).Do(req)
			require.NoError(t, err)
			defer res.Body.Close() //nolint:errcheck // only read
			var e Echo
			require.NoError(t, json.NewDecoder(res.Body).Decode(&e))
			require.Equal(t, http.StatusTeapot, res.StatusCode)
			require.Equal(t, http.MethodPut, e.Method)
			require.Equal(t, "/game/a%2Fb", e.Path)
			require.Equal(t, "x=1&echo-status=418", e.Query)
			require.Equal(t, version, e.Proto)
			require.Equal(t, "p", e.Headers.Get("X-Player"))
			require.Equal(t, body[:maxEchoBody], e.Body)
			require.Equal(t, int64(len(body)), e.BodyBytes)
			require.Len(t, e.BodySHA256, 64)
			require.Equal(t, 1, u.Count("/game/a/b"))
			require.Equal(t, map[string]int{"/game/a/b": 1}, u.Counts())
		})
	}
}

func TestUpstreamDelaysAnswers(t *testing.T) {
	u := startUpstream(t)
	before := time.Now()
	status, _, err := fetch(within(t, patience), "http://"+u.Address()+"/x?echo-delay=50ms")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.GreaterOrEqual(t, time.Since(before), 50*time.Millisecond)
	for _, bad := range []string{"echo-delay=soon", "echo-status=99", "echo-status=x"} {
		status, _, err = fetch(within(t, patience), "http://"+u.Address()+"/x?"+bad)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
}

func TestUpstreamGoesDownAndComesBack(t *testing.T) {
	u := startUpstream(t)
	health := "http://" + u.Address() + "/healthz"
	require.NoError(t, answers200(health)(within(t, patience)))
	u.SetHealthy(false)
	require.ErrorContains(t, answers200(health)(within(t, patience)), "status 503")
	u.Stop()
	u.Stop()
	_, err := net.Dial("tcp", u.Address())
	require.Error(t, err)
	u.SetHealthy(true)
	require.NoError(t, u.Start())
	require.NoError(t, u.Start())
	require.NoError(t, answers200(health)(within(t, patience)))
}

func TestUpstreamEchoesWebSocket(t *testing.T) {
	u := startUpstream(t)
	ctx := within(t, patience)
	c, _, err := websocket.Dial(ctx, "ws://"+u.Address()+"/ws", nil)
	require.NoError(t, err)
	defer c.CloseNow() //nolint:errcheck // closed by the upstream
	for kind, message := range map[websocket.MessageType]string{websocket.MessageText: "text", websocket.MessageBinary: "\x00\xff"} {
		require.NoError(t, c.Write(ctx, kind, []byte(message)))
		gotKind, got, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, kind, gotKind)
		require.Equal(t, message, string(got))
	}
	u.Stop()
	_, _, err = c.Read(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "Stop cuts the connection")
	require.Equal(t, 1, u.Count("/ws"))
}

func TestUpstreamSpeaksGRPC(t *testing.T) {
	u := startUpstream(t)
	conn, err := grpc.NewClient(u.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	ctx := metadata.AppendToOutgoingContext(within(t, patience), "authorization", "Bearer t")

	var header metadata.MD
	out := &wrapperspb.BytesValue{}
	require.NoError(t, conn.Invoke(ctx, "/game.Lobby/Join", wrapperspb.Bytes([]byte("hello")), out, grpc.Header(&header)))
	require.Equal(t, "hello", string(out.GetValue()))
	require.Equal(t, []string{"/game.Lobby/Join"}, header.Get("echo-method"))
	require.Equal(t, []string{"Bearer t"}, header.Get("echo-authorization"))

	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/game.Lobby/Chat")
	require.NoError(t, err)
	for _, message := range []string{"a", "", "b"} {
		require.NoError(t, stream.SendMsg(wrapperspb.String(message)))
		got := &wrapperspb.StringValue{}
		require.NoError(t, stream.RecvMsg(got))
		require.Equal(t, message, got.GetValue())
	}
	require.NoError(t, stream.CloseSend())
	require.ErrorIs(t, stream.RecvMsg(&wrapperspb.StringValue{}), io.EOF)

	check, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, check.GetStatus())
	u.SetHealthy(false)
	check, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, check.GetStatus())
	require.Equal(t, 1, u.Count("/game.Lobby/Join"))
}
