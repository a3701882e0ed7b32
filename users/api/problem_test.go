package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/users/record"
)

// failure is a part's failure, and what becomes of it.
type failure struct {
	err     error
	status  int
	code    string
	message string
	field   string
	header  map[string]string
}

func (f failure) check(t *testing.T, got reply) {
	t.Helper()
	require.Equal(t, f.status, got.status, "%s", got.body)
	body := got.json(t)
	require.Equal(t, f.code, body["code"])
	require.Equal(t, f.message, body["message"])
	if f.field == "" {
		require.NotContains(t, body, "field")
	} else {
		require.Equal(t, f.field, body["field"])
	}
	for name, value := range f.header {
		require.Equal(t, value, got.header.Get(name), name)
	}
}

var (
	errDial   = errors.New("dial tcp 10.0.0.7:443: connection refused")
	wait      = map[string]string{"Retry-After": "1"}
	challenge = map[string]string{"Www-Authenticate": "Bearer"}
)

const (
	internalMessage = "An internal error happened."
	storeMessage    = "The store is not available. Try again."
	poolMessage     = "The user pool is not available. Try again."
)

func TestFailuresOfSigningIn(t *testing.T) {
	for name, f := range map[string]failure{
		"a wrong password": {
			err: account.ErrRefused, status: 401, code: "unauthorized", message: "The username or password is incorrect", header: challenge,
		},
		"a challenge": {
			err: account.ErrChallenge, status: 403, code: "challenge_required",
			message: "This account needs more than a password to sign in, such as a second factor or a new password. It cannot sign in here.",
		},
		"a throttled pool":    {err: account.ErrThrottled, status: 429, code: "too_many_requests", message: "Too many requests.", header: wait},
		"a pool that is down": {err: account.ErrUnavailable, status: 503, code: "user_pool_unavailable", message: poolMessage, header: wait},
		"a pool that hangs":   {err: context.DeadlineExceeded, status: 503, code: "user_pool_unavailable", message: poolMessage, header: wait},
		"a bad password for a new user": {
			err:    &account.InvalidError{Field: "password", Message: "at least 6 characters are needed"},
			status: 400, code: "invalid_field", message: "password: at least 6 characters are needed", field: "password",
		},
		"anything else": {err: errors.New("boom"), status: 500, code: "internal", message: internalMessage},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.accounts.hook = func(context.Context, string, string) (account.Session, error) {
				return account.Session{}, fmt.Errorf("sign in: %w: %w", f.err, errDial)
			}
			got := h.do(t, request{method: "POST", path: "/authenticate", body: `{"username":"u","password":"p"}`, lax: true})
			f.check(t, got)
			require.Equal(t, "fail", got.json(t)["status"])
			require.Equal(t, f.message, got.json(t)["msg"])
			require.NotContains(t, string(got.body), "10.0.0.7")
		})
	}
}

// failingRecords is a Records that fails.
type failingRecords struct{ err error }

func (f failingRecords) Create(context.Context, record.Caller, record.Attributes, string) (record.Record, error) {
	return record.Record{}, f.err
}

func (f failingRecords) Read(context.Context, record.Caller, string) (record.Record, error) {
	return record.Record{}, f.err
}

func (f failingRecords) Update(context.Context, record.Caller, string, record.Change, *record.Match) (record.Record, error) {
	return record.Record{}, f.err
}

func TestFailuresOfRecords(t *testing.T) {
	create := request{method: "POST", path: "/create", body: john, token: "alice"}
	read := request{method: "GET", path: "/read?userId=31327518", token: "alice"}
	update := request{method: "PUT", path: "/update", body: `{"userId":"31327518"}`, token: "alice"}
	all := []request{create, read, update}
	for name, c := range map[string]struct {
		failure
		of []request
	}{
		"no such record": {
			failure{err: record.ErrNotFound, status: 404, code: "user_not_found", message: "userId: 31327518, does not exist!"},
			[]request{read, update},
		},
		"another version": {
			failure{
				err: &record.RevisionError{Current: 7}, status: 412, code: "revision_conflict",
				message: "The record has changed: its version is not one of If-Match. Read it again.", header: map[string]string{"ETag": `"7"`},
			},
			[]request{update},
		},
		"an idempotency key with another body": {
			failure{
				err: record.ErrIdempotencyConflict, status: 409, code: "idempotency_conflict",
				message: "This Idempotency-Key was used with another body. Take a new key.",
			},
			[]request{create},
		},
		"an invalid value": {
			failure{
				err: errors.Join(&record.InvalidError{Field: "address.state", Message: "first"}, &record.InvalidError{Field: "title", Message: "second"}),
				// The first of those that are joined.
				status: 400, code: "invalid_field", message: "first", field: "address.state",
			},
			all,
		},
		"too many updates at once": {
			failure{
				err: record.ErrContended, status: 503, code: "store_unavailable",
				message: "Too many updates of this record at once. Try again.", header: wait,
			},
			[]request{update},
		},
		"a store that is down": {failure{err: record.ErrUnavailable, status: 503, code: "store_unavailable", message: storeMessage, header: wait}, all},
		"a store that hangs":   {failure{err: context.DeadlineExceeded, status: 503, code: "store_unavailable", message: storeMessage, header: wait}, all},
		"anything else":        {failure{err: errors.New("boom"), status: 500, code: "internal", message: internalMessage}, all},
		// What is canceled while the client is there is a failure of ours.
		"a part that gave up": {failure{err: context.Canceled, status: 500, code: "internal", message: internalMessage}, all},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(cfg *Config) { cfg.Records = failingRecords{fmt.Errorf("work: %w: %w", c.err, errDial)} })
			for _, q := range c.of {
				q.lax = true
				got := h.do(t, q)
				c.check(t, got)
				require.NotContains(t, got.json(t), "status", "the shape of /authenticate")
				require.NotContains(t, string(got.body), "10.0.0.7")
			}
		})
	}
}

func TestFailuresOfTokens(t *testing.T) {
	unauthorized := failure{status: 401, code: "unauthorized", message: "Unauthorized", header: challenge}
	down := failure{status: 503, code: "user_pool_unavailable", message: poolMessage, header: wait}
	h := start(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	for name, c := range map[string]struct {
		failure
		authorization []string
	}{
		"no token":                      {unauthorized, nil},
		"an empty one":                  {unauthorized, []string{""}},
		"an expired one":                {unauthorized, []string{"Bearer expired"}},
		"two, of which one is good":     {unauthorized, []string{"Bearer alice", "Bearer bob"}},
		"the same twice":                {unauthorized, []string{"Bearer alice", "Bearer alice"}},
		"one of another client":         {failure{status: 403, code: "forbidden", message: "Not allowed here with this token."}, []string{"Bearer foreign"}},
		"no keys to verify it with":     {down, []string{"Bearer keyless"}},
		"keys that take more than time": {down, []string{"Bearer hang"}},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if c.authorization != nil {
				header["Authorization"] = c.authorization
			}
			// The token goes before everything else: the rest of these requests is no good either.
			c.check(t, h.do(t, request{method: "POST", path: "/create", body: `{`, header: header}))
			c.check(t, h.do(t, request{method: "GET", path: "/read?userId=%zz", header: header}))
			c.check(t, h.do(t, request{method: "PUT", path: "/update", body: strings.Repeat(" ", maxBody+1), header: header}))
		})
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	h := start(t, nil)
	h.accounts.hook = func(context.Context, string, string) (account.Session, error) { panic("the password is hunter2") }
	internal := failure{status: 500, code: "internal", message: internalMessage}
	internal.check(t, h.do(t, request{method: "POST", path: "/authenticate", body: `{"username":"u","password":"hunter2"}`}))
	lines := h.logs.FilterMessage("request failed").All()
	require.Len(t, lines, 1)
	fields := lines[0].ContextMap()
	require.Equal(t, "panic: a string", fields["error"])
	require.Contains(t, fields["stack"], "TestAPanicIsAnswered")
	require.NotContains(t, fmt.Sprint(fields), "hunter2")

	h.accounts.hook = func(_ context.Context, username, _ string) (account.Session, error) {
		return []account.Session{}[len(username)], nil
	}
	internal.check(t, h.do(t, request{method: "POST", path: "/authenticate", body: `{"username":"u","password":"hunter2"}`}))
	require.Contains(t, h.logs.FilterMessage("request failed").All()[1].ContextMap()["error"], "index out of range")
}

func TestAPartThatHangsEndsWithTheRequestsTime(t *testing.T) {
	h := start(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	h.store.hook = hang
	h.accounts.hook = func(ctx context.Context, _, _ string) (account.Session, error) { return account.Session{}, hang(ctx) }
	store := failure{status: 503, code: "store_unavailable", message: storeMessage, header: wait}
	store.check(t, h.do(t, request{method: "POST", path: "/create", body: john, token: "alice"}))
	store.check(t, h.do(t, request{method: "GET", path: "/read?userId=31327518", token: "alice"}))
	store.check(t, h.do(t, request{method: "PUT", path: "/update", body: `{"userId":"31327518"}`, token: "alice"}))
	pool := failure{status: 503, code: "user_pool_unavailable", message: poolMessage, header: wait}
	pool.check(t, h.do(t, request{method: "POST", path: "/authenticate", body: `{"username":"u","password":"p"}`}))
}
