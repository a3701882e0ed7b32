package cognito_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"adsidecar/users/account"
	"adsidecar/users/cognito"
	"adsidecar/users/cognito/strictfake"
)

// clock is a seam of time that stands still until told otherwise.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func startWithClock(t *testing.T, c strictfake.Config, change ...func(*cognito.Config)) (*fixture, *clock) {
	t.Helper()
	clock := &clock{at: time.Unix(1_700_000_000, 0)}
	return start(t, c, append(change, func(c *cognito.Config) { c.Now = clock.now })...), clock
}

func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		client strictfake.Client
		change func(*cognito.Config)
		cause  string
	}{
		"all is well":                      {client: strictfake.Client{ID: clientID, Secret: secret}},
		"all is well without a secret":     {client: strictfake.Client{ID: clientID}, change: func(c *cognito.Config) { c.ClientSecret = "" }},
		"one of two secrets is configured": {client: strictfake.Client{ID: clientID, Secret: "theother"}},
		"a wrong client ID":                {client: strictfake.Client{ID: "another"}, cause: "client " + clientID + " does not exist"},
		"a wrong pool ID": {
			client: strictfake.Client{ID: clientID}, change: func(c *cognito.Config) { c.PoolID = "us-east-1_Other" }, cause: "pool us-east-1_Other does not exist",
		},
		"no sign-in by password": {
			client: strictfake.Client{ID: clientID, Secret: secret, NoAdminPassword: true}, cause: "does not allow ALLOW_ADMIN_USER_PASSWORD_AUTH",
		},
		"a missing secret": {
			client: strictfake.Client{ID: clientID, Secret: secret}, change: func(c *cognito.Config) { c.ClientSecret = "" },
			cause: "has a secret, and none is configured",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var apply []func(*cognito.Config)
			if c.change != nil {
				apply = append(apply, c.change)
			}
			f := start(t, strictfake.Config{Clients: []strictfake.Client{c.client}}, apply...)
			err := f.pool.Ready(within(t, 10*time.Second))
			if c.cause == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.cause)
			require.NotErrorIs(t, err, account.ErrUnavailable)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

func TestReadyIsCached(t *testing.T) {
	f, clock := startWithClock(t, strictfake.Config{})
	ctx := within(t, 20*time.Second)
	for range 3 {
		require.NoError(t, f.pool.Ready(ctx))
	}
	require.Len(t, f.Calls(), 1)

	f.Fail("DescribeUserPoolClient", strictfake.Fault{Error: strictfake.AccessDenied})
	clock.advance(5*time.Second - 1)
	require.NoError(t, f.pool.Ready(ctx))
	clock.advance(1)
	require.ErrorContains(t, f.pool.Ready(ctx), "AccessDeniedException")
	require.ErrorContains(t, f.pool.Ready(ctx), "AccessDeniedException")
	require.Len(t, f.Calls(), 2)

	clock.advance(time.Second)
	require.NoError(t, f.pool.Ready(ctx), "a failure is forgotten sooner")
	require.Len(t, f.Calls(), 3)
}

func TestReadyAtOnceIsOneCheck(t *testing.T) {
	f, _ := startWithClock(t, strictfake.Config{})
	ctx := within(t, 20*time.Second)
	var all errgroup.Group
	for range 16 {
		all.Go(func() error { return f.pool.Ready(ctx) })
	}
	require.NoError(t, all.Wait())
	require.Len(t, f.Calls(), 1)
}

func TestReadyWhileThrottled(t *testing.T) {
	f, clock := startWithClock(t, strictfake.Config{})
	ctx := within(t, 20*time.Second)
	f.Fail("DescribeUserPoolClient", always(strictfake.Fault{Error: strictfake.TooManyRequests})...)
	require.ErrorIs(t, f.pool.Ready(ctx), account.ErrThrottled, "nothing is known yet")
	f.Heal()
	clock.advance(time.Second)
	require.NoError(t, f.pool.Ready(ctx))
	f.Fail("DescribeUserPoolClient", always(strictfake.Fault{Error: strictfake.TooManyRequests})...)
	clock.advance(5 * time.Second)
	require.NoError(t, f.pool.Ready(ctx))
}

func TestReadyOfAPoolThatFails(t *testing.T) {
	f, clock := startWithClock(t, strictfake.Config{}, impatient)
	ctx := within(t, 20*time.Second)
	for _, fault := range []strictfake.Fault{{Error: strictfake.Internal}, {Lose: true}, {Hang: true}} {
		f.Fail("DescribeUserPoolClient", always(fault)...)
		require.ErrorIs(t, f.pool.Ready(ctx), account.ErrUnavailable)
		f.Heal()
		clock.advance(time.Second)
		require.NoError(t, f.pool.Ready(ctx))
		clock.advance(5 * time.Second)
	}
}

// TestReadyOfAnImpatientCaller: what one caller has no time for is not kept for the others.
func TestReadyOfAnImpatientCaller(t *testing.T) {
	arrived := make(chan struct{}, 8)
	f, _ := startWithClock(t, strictfake.Config{Hold: func(string) { arrived <- struct{}{} }})
	f.Fail("DescribeUserPoolClient", strictfake.Fault{Hang: true})
	first, leave := context.WithCancel(within(t, 20*time.Second))
	var checking errgroup.Group
	checking.Go(func() error { return f.pool.Ready(first) })
	<-arrived

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.pool.Ready(gone), context.Canceled, "a caller does not wait longer than it can for another's check")
	leave()
	require.ErrorIs(t, checking.Wait(), context.Canceled)
	require.NoError(t, f.pool.Ready(within(t, 10*time.Second)))
}
