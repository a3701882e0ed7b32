package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/internal/account"
	"adsidecar/users/record"
)

// Whatever is sent, and wherever, no line of the log has it.
func TestNoLineOfTheLogHasWhatClientsSend(t *testing.T) {
	const secret = "hunter2"
	h := start(t, nil)
	h.create(t)
	queries := []request{
		{method: "POST", path: "/authenticate", body: `{"username":"hunter2","password":"hunter2"}`},
		{method: "POST", path: "/authenticate", body: `{"username":"john","password":"hunter2"}`},
		{method: "POST", path: "/authenticate", body: `{"username":"john","password":"hunter2","hunter2":"hunter2"}`},
		{method: "POST", path: "/authenticate", body: `{"username":"john","password":"hunter2`},
		{method: "POST", path: "/authenticate", body: `hunter2`},
		{method: "POST", path: "/authenticate?password=hunter2", body: `{}`},
		{method: "POST", path: "/create", token: secret, body: john},
		{method: "POST", path: "/create", token: "alice", body: with(t, john, map[string]any{"lastName": secret})},
		{method: "POST", path: "/create", token: "alice", body: with(t, john, map[string]any{"lastName": secret + "\x00"})},
		{method: "POST", path: "/create", token: "alice", body: john, header: http.Header{"Idempotency-Key": {secret}}},
		{method: "PUT", path: "/update", token: "alice", body: `{"userId":"00010001","lastName":"hunter2"}`},
		{method: "PUT", path: "/update", token: "alice", body: `{"userId":"hunter2"}`},
		{method: "GET", path: "/read?hunter2=hunter2", token: "alice"},
		{method: "GET", path: "/read?userId=hunter2", token: "alice"},
		{method: "GET", path: "/hunter2"},
		{method: "GET", path: "/read", header: http.Header{"X-Request-Id": {"a hunter2"}}},
	}
	hooks := []func(){
		func() {},
		func() {
			h.accounts.hook = func(_ context.Context, _, password string) (account.Session, error) { panic(password) }
			h.store.hook = func(context.Context) error { return record.ErrUnavailable }
		},
		func() {
			h.accounts.hook = func(context.Context, string, string) (account.Session, error) {
				return account.Session{}, &account.InvalidError{Field: "password", Message: "not hunter2"}
			}
			h.store.hook = func(context.Context) error { return errors.New("disk on fire") }
		},
	}
	for _, hook := range hooks {
		hook()
		for _, q := range queries {
			h.send(t, q)
		}
	}
	lines := h.logs.All()
	require.Len(t, lines, 1+len(hooks)*len(queries))
	for _, l := range lines {
		require.NotContains(t, l.Message+fmt.Sprint(l.ContextMap()), secret)
	}
	require.NotZero(t, h.logs.FilterLevelExact(zapcore.ErrorLevel).Len())
	require.NotZero(t, h.logs.FilterLevelExact(zapcore.WarnLevel).Len())
}

func TestLinesOfTheLog(t *testing.T) {
	id := http.Header{"X-Request-Id": {"8a8c1c2e-0000-4000-8000-000000000001"}}
	read := request{method: "GET", path: "/read?userId=00000001", token: "alice", header: id}
	for name, c := range map[string]struct {
		hook    error
		level   zapcore.Level
		message string
		status  int64
		cause   string
	}{
		"a client's mistake":    {nil, zapcore.DebugLevel, "request answered", 404, ""},
		"a store that is down":  {fmt.Errorf("%w: %w", record.ErrUnavailable, errDial), zapcore.WarnLevel, "request not served", 503, errDial.Error()},
		"a failure of our own":  {errors.New("disk on fire"), zapcore.ErrorLevel, "request failed", 500, "disk on fire"},
		"a part's own deadline": {context.DeadlineExceeded, zapcore.WarnLevel, "request not served", 503, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.store.hook = func(context.Context) error { return c.hook }
			h.do(t, read)
			lines := h.logs.All()
			require.Len(t, lines, 1)
			require.Equal(t, c.level, lines[0].Level)
			require.Equal(t, c.message, lines[0].Message)
			fields := lines[0].ContextMap()
			require.Equal(t, id.Get("X-Request-Id"), fields["request_id"])
			require.Equal(t, "read", fields["endpoint"])
			require.Equal(t, c.status, fields["status"])
			require.Contains(t, fields, "took")
			if c.cause == "" {
				require.NotContains(t, fields, "error")
			} else {
				require.Contains(t, fields["error"], c.cause)
			}
		})
	}
}

func TestRequestIDsThatAreUnfitForALogAreLeftOut(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	h := start(t, func(c *Config) { c.Logger = zap.New(core) })
	for _, id := range []string{strings.Repeat("x", 65), "a b", "ü"} {
		h.send(t, request{method: "GET", path: "/nothing", header: http.Header{"X-Request-Id": {id}}})
	}
	for _, l := range logs.All() {
		require.Empty(t, l.ContextMap()["request_id"])
	}
	require.Equal(t, 3, logs.Len())
}
