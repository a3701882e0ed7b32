package cognito_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"adsidecar/internal/account"
	"adsidecar/internal/cognito"
	"adsidecar/internal/cognito/strictfake"
)

// kinds are the settings of pools and clients that make no difference to a caller.
var kinds = map[string]struct {
	client      strictfake.Client
	autoConfirm bool
	firstTime   []string
}{
	"a client with a secret, users hidden":          {client: strictfake.Client{ID: clientID, Secret: secret, HideUsers: true}, firstTime: firstTime},
	"a client with a secret, users told":            {client: strictfake.Client{ID: clientID, Secret: secret}, firstTime: firstTime},
	"a client without a secret, users hidden":       {client: strictfake.Client{ID: clientID, HideUsers: true}, firstTime: firstTime},
	"a client without a secret, users told":         {client: strictfake.Client{ID: clientID}, firstTime: firstTime},
	"a pool whose trigger confirms, users hidden":   {client: strictfake.Client{ID: clientID, HideUsers: true}, autoConfirm: true, firstTime: wrongPassword},
	"a pool whose trigger confirms, and users told": {client: strictfake.Client{ID: clientID, Secret: secret}, autoConfirm: true, firstTime: wrongPassword},
}

func TestSignIn(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			f := start(t, strictfake.Config{Clients: []strictfake.Client{kind.client}, ConfirmAtSignUp: kind.autoConfirm},
				func(c *cognito.Config) { c.ClientSecret = kind.client.Secret })

			first, err := f.signIn(t, "john", password)
			require.NoError(t, err)
			require.True(t, first.New)
			require.Equal(t, kind.firstTime, f.Calls())
			user, ok := f.User("john")
			require.True(t, ok)
			require.Equal(t, user.Sub, first.UserID)
			require.NotEmpty(t, first.IDToken)

			f.ForgetCalls()
			again, err := f.signIn(t, "john", password)
			require.NoError(t, err)
			require.False(t, again.New)
			require.Equal(t, first.UserID, again.UserID)
			require.Equal(t, known, f.Calls())

			f.ForgetCalls()
			_, err = f.signIn(t, "john", wrong)
			require.ErrorIs(t, err, account.ErrRefused)
			require.Equal(t, wrongPassword, f.Calls())

			f.SetUser("out", strictfake.User{Password: password, Confirmed: true, Disabled: true})
			f.ForgetCalls()
			_, err = f.signIn(t, "out", password)
			require.ErrorIs(t, err, account.ErrRefused)
			require.Equal(t, wrongPassword, f.Calls(), "a disabled user looks like a wrong password")
		})
	}
}

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// TestSimultaneousFirstSignIns has all callers see an unknown user before any of them signs it up.
func TestSimultaneousFirstSignIns(t *testing.T) {
	const callers = 8
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			f := start(t, strictfake.Config{
				Clients: []strictfake.Client{kind.client}, ConfirmAtSignUp: kind.autoConfirm, Answered: barrier("AdminInitiateAuth", callers),
			}, func(c *cognito.Config) { c.ClientSecret = kind.client.Secret })
			pools := []*cognito.Pool{f.pool, f.newPool(t, func(c *cognito.Config) { c.ClientSecret = kind.client.Secret })} // two processes
			sessions := make([]account.Session, callers)
			ctx := within(t, patience)
			var all errgroup.Group
			for i := range callers {
				all.Go(func() (err error) {
					sessions[i], err = pools[i%len(pools)].SignIn(ctx, "john", password)
					return err
				})
			}
			require.NoError(t, all.Wait())
			fresh := 0
			for _, s := range sessions {
				require.Equal(t, sessions[0].UserID, s.UserID)
				if s.New {
					fresh++
				}
			}
			require.Equal(t, 1, fresh)
		})
	}
}

// TestSimultaneousFirstSignInsWithOtherPasswords is somebody else taking the name at the same moment.
func TestSimultaneousFirstSignInsWithOtherPasswords(t *testing.T) {
	f := start(t, strictfake.Config{Answered: barrier("AdminInitiateAuth", 2)})
	ctx := within(t, patience)
	errs := make([]error, 2)
	var both errgroup.Group
	for i, p := range []string{password, wrong} {
		both.Go(func() error {
			_, errs[i] = f.pool.SignIn(ctx, "john", p)
			return nil
		})
	}
	require.NoError(t, both.Wait())
	require.ErrorIs(t, errors.Join(errs...), account.ErrRefused)
	require.True(t, errs[0] == nil || errs[1] == nil, "one of them has the name")
}

func TestUnconfirmedUsers(t *testing.T) {
	for name, unconfirmedFirst := range map[string]bool{"told for the right password": false, "told for any password": true} {
		t.Run(name, func(t *testing.T) {
			f := start(t, strictfake.Config{UnconfirmedFirst: unconfirmedFirst})
			f.SetUser("john", strictfake.User{Password: password}) // a sign-up that died before its confirmation

			_, err := f.signIn(t, "john", wrong)
			require.ErrorIs(t, err, account.ErrRefused)

			f.SetUser("john", strictfake.User{Password: password})
			f.ForgetCalls()
			s, err := f.signIn(t, "john", password)
			require.NoError(t, err)
			require.True(t, s.New, "no call before had an answer to tell it with")
			require.Equal(t, healed, f.Calls())
		})
	}
}

// TestACallThatDiesIsHealedByTheNext cuts a first sign-in off at every one of its calls, before and after that took effect.
func TestACallThatDiesIsHealedByTheNext(t *testing.T) {
	for name, fault := range map[string]struct {
		operation string
		fault     strictfake.Fault
		isNew     bool
	}{
		"before the sign-up":        {operation: "SignUp", fault: strictfake.Fault{Hang: true}, isNew: true},
		"after the sign-up":         {operation: "SignUp", fault: strictfake.Fault{Hang: true, After: true}, isNew: true},
		"before the confirmation":   {operation: "AdminConfirmSignUp", fault: strictfake.Fault{Hang: true}, isNew: true},
		"after the confirmation":    {operation: "AdminConfirmSignUp", fault: strictfake.Fault{Hang: true, After: true}, isNew: false},
		"before the last operation": {operation: "AdminInitiateAuth", fault: strictfake.Fault{Hang: true}, isNew: false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(within(t, patience))
			var calls atomic.Int32
			f := start(t, strictfake.Config{Hold: func(operation string) {
				if n := calls.Add(1); operation == fault.operation && (operation != known[0] || n > 1) {
					cancel() // the fault makes sure that no answer comes before this is seen
				}
			}})
			if fault.operation == known[0] {
				f.Fail(fault.operation, strictfake.Fault{}) // the first call of it is well
			}
			f.Fail(fault.operation, fault.fault)
			_, err := f.pool.SignIn(ctx, "john", password)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, account.ErrUnavailable, "the pool is not to blame")

			// The cancelled call may still be on its way through the server.
			require.Eventually(t, func() bool {
				u, ok := f.User("john")
				return ok == (fault.fault.After || fault.operation != "SignUp") &&
					(fault.operation != "AdminConfirmSignUp" || u.Confirmed == fault.fault.After)
			}, patience, time.Millisecond)
			f.Heal()
			s, err := f.signIn(t, "john", password)
			require.NoError(t, err)
			require.Equal(t, fault.isNew, s.New)
		})
	}
}

// TestLostAnswers has the SDK try again what took effect already.
func TestLostAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		config    strictfake.Config
		operation string
		fault     strictfake.Fault
	}{
		"the sign-up's":                    {operation: "SignUp", fault: strictfake.Fault{Lose: true, After: true}},
		"the sign-up's, as a 500":          {operation: "SignUp", fault: strictfake.Fault{Error: strictfake.Internal, After: true}},
		"the sign-up's, by hanging":        {operation: "SignUp", fault: strictfake.Fault{Hang: true, After: true}},
		"the sign-up's, where it confirms": {operation: "SignUp", fault: strictfake.Fault{Lose: true, After: true}, config: strictfake.Config{ConfirmAtSignUp: true}},
		"the sign-up's, as a 500 where it confirms": {
			operation: "SignUp", fault: strictfake.Fault{Error: strictfake.Internal, After: true}, config: strictfake.Config{ConfirmAtSignUp: true},
		},
		"the confirmation's":                 {operation: "AdminConfirmSignUp", fault: strictfake.Fault{Lose: true, After: true}},
		"the confirmation's, by hanging":     {operation: "AdminConfirmSignUp", fault: strictfake.Fault{Hang: true, After: true}},
		"a sign-up that never took effect":   {operation: "SignUp", fault: strictfake.Fault{Lose: true}},
		"the sign-in's":                      {operation: "AdminInitiateAuth", fault: strictfake.Fault{Lose: true}},
		"a throttled sign-up's, and then on": {operation: "SignUp", fault: strictfake.Fault{Error: strictfake.TooManyRequests}},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, c.config, impatient)
			f.Fail(c.operation, c.fault)
			s, err := f.signIn(t, "john", password)
			require.NoError(t, err)
			require.True(t, s.New)
			s, err = f.signIn(t, "john", password)
			require.NoError(t, err)
			require.False(t, s.New)
		})
	}
	t.Run("a lost sign-up of a name that is taken makes nobody new", func(t *testing.T) {
		f := start(t, strictfake.Config{})
		f.SetUser("john", strictfake.User{Password: password, Confirmed: true})
		f.Fail("SignUp", strictfake.Fault{Lose: true, After: true})
		_, err := f.signIn(t, "john", wrong)
		require.ErrorIs(t, err, account.ErrRefused)
	})
	t.Run("an answer that breaks off is not taken for one", func(t *testing.T) {
		f := start(t, strictfake.Config{})
		f.Fail("SignUp", strictfake.Fault{Body: `{"UserConfirmed":`})
		_, err := f.signIn(t, "john", password)
		require.Error(t, err)
		s, err := f.signIn(t, "john", password)
		require.NoError(t, err)
		require.True(t, s.New)
	})
}

// TestASignUpThatWasNeverSent finds the user there because another call made it, not by a lost answer.
func TestASignUpThatWasNeverSent(t *testing.T) {
	var f *fixture
	unreachable := &onceUnreachable{meanwhile: func() { f.SetUser("john", strictfake.User{Password: password, Confirmed: true}) }}
	f = start(t, strictfake.Config{ConfirmAtSignUp: true}, func(c *cognito.Config) { c.AWS.HTTPClient = unreachable })
	s, err := f.signIn(t, "john", password)
	require.NoError(t, err)
	require.False(t, s.New)
	require.Equal(t, wrongPassword, f.Calls())
}

// onceUnreachable is a client whose first SignUp finds no connection.
type onceUnreachable struct {
	http.Client
	once      sync.Once
	meanwhile func()
}

func (u *onceUnreachable) Do(r *http.Request) (res *http.Response, err error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".SignUp") {
		u.once.Do(func() {
			u.meanwhile()
			err = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		})
		if err != nil {
			return nil, err
		}
	}
	return u.Client.Do(r)
}
