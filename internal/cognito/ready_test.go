package cognito_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/internal/account"
	"adsidecar/internal/cognito"
	"adsidecar/internal/cognito/strictfake"
)

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
			err := f.pool.Ready(within(t, patience))
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

func TestReadyWhileThrottled(t *testing.T) {
	f := start(t, strictfake.Config{})
	ctx := within(t, patience)
	throttled := always(strictfake.Fault{Error: strictfake.TooManyRequests})
	f.Fail("DescribeUserPoolClient", throttled...)
	require.ErrorIs(t, f.pool.Ready(ctx), account.ErrThrottled, "nothing is known yet")
	f.Heal()
	require.NoError(t, f.pool.Ready(ctx))
	f.Fail("DescribeUserPoolClient", throttled...)
	require.NoError(t, f.pool.Ready(ctx))
	require.NoError(t, f.pool.Ready(ctx))
	f.Heal()
	f.Fail("DescribeUserPoolClient", strictfake.Fault{Error: strictfake.AccessDenied})
	require.ErrorContains(t, f.pool.Ready(ctx), "AccessDeniedException")
	f.Fail("DescribeUserPoolClient", throttled...)
	require.ErrorIs(t, f.pool.Ready(ctx), account.ErrThrottled, "the last that is known is not good")
}

func TestReadyOfAPoolThatFails(t *testing.T) {
	f := start(t, strictfake.Config{}, impatient)
	ctx := within(t, patience)
	for _, fault := range []strictfake.Fault{{Error: strictfake.Internal}, {Lose: true}, {Hang: true}} {
		f.Fail("DescribeUserPoolClient", always(fault)...)
		require.ErrorIs(t, f.pool.Ready(ctx), account.ErrUnavailable)
		f.Heal()
		require.NoError(t, f.pool.Ready(ctx))
	}
}

func TestReadyOfAnImpatientCaller(t *testing.T) {
	f := start(t, strictfake.Config{})
	f.Fail("DescribeUserPoolClient", always(strictfake.Fault{Hang: true})...)
	require.ErrorIs(t, f.pool.Ready(within(t, 100*time.Millisecond)), account.ErrUnavailable)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.pool.Ready(gone), context.Canceled)
}
