package stack

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/envoy/gateway"
)

func TestUsersThatCannotRunAreRefused(t *testing.T) {
	authenticate, read := []gateway.Endpoint{gateway.Authenticate}, []gateway.Endpoint{gateway.Read}
	for name, c := range map[string]struct {
		options        UsersOptions
		noMoto, isFile bool
		want           string // "": it can
	}{
		"one process":                           {},
		"one process of a file":                 {isFile: true},
		"sign-in apart from an embedded store":  {options: UsersOptions{Serve: [][]gateway.Endpoint{authenticate, read, authenticate}}},
		"replicas on DynamoDB":                  {options: UsersOptions{Store: DynamoDB, Replicas: 2}},
		"another store":                         {options: UsersOptions{Store: "mysql"}, want: "the store mysql is neither bbolt nor dynamodb"},
		"DynamoDB without moto":                 {options: UsersOptions{Store: DynamoDB}, noMoto: true, want: "there is none"},
		"replicas and endpoints":                {options: UsersOptions{Store: DynamoDB, Replicas: 2, Serve: [][]gateway.Endpoint{read}}, want: "one of"},
		"replicas on an embedded store":         {options: UsersOptions{Replicas: 2}, want: "one process's"},
		"two kinds of it on an embedded store":  {options: UsersOptions{Serve: [][]gateway.Endpoint{read, {}}}, want: "one process's"},
		"several processes of one gateway file": {options: UsersOptions{Store: DynamoDB, Replicas: 2}, isFile: true, want: "one process of each kind"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.options.check(c.noMoto, c.isFile)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

const john = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
	`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Example Street"}}`

// create makes a record with the demo user's token and returns its path.
func create(t *testing.T, s *Stack) string {
	t.Helper()
	a, err := s.Envoy().Send(t.Context(), http.MethodPost, "/create", s.bearer(), []byte(john))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.Status, a)
	require.NotEmpty(t, a.Header.Get("Location"))
	return "/" + a.Header.Get("Location")
}

func (s *Stack) bearer() http.Header { return http.Header{"Authorization": {"Bearer " + s.Token()}} }

func requireJohn(t *testing.T, s *Stack, path string) {
	t.Helper()
	a, err := s.Envoy().Send(t.Context(), http.MethodGet, path, s.bearer(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	require.Contains(t, string(a.Body), `"mobileNumber":"047777777"`)
}

func TestUsersSignInAndStartAgainWithTheirStore(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	s, err := Start(ctx, Options{Dir: t.TempDir(), Campaigns: []byte(oneAd), Users: &UsersOptions{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.WaitServed(ctx))
	require.NoError(t, s.Envoy().WaitUsers(ctx))

	t.Run("both app clients' tokens are accepted", func(t *testing.T) {
		in, err := s.Envoy().SignIn(ctx, Username, Password)
		require.NoError(t, err)
		require.Equal(t, "false", in.IsNew)
		read := create(t, s) // with the public client's access token
		a, err := s.Envoy().Do(ctx, http.MethodGet, read, in.IDToken, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, a)
		_, err = s.Envoy().SignIn(ctx, Username, "wrong-password")
		require.ErrorContains(t, err, "status 401")
	})
	t.Run("the secret is the owner's alone", func(t *testing.T) {
		info, err := os.Stat(s.secretFile)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
	t.Run("a killed one comes back at the same port with its records", func(t *testing.T) {
		u, read := s.Users(), create(t, s)
		pid := u.Process().PID()
		u.Kill()
		require.False(t, u.Process().Running())
		_, err := s.Get(ctx, "us", "eng")
		require.NoError(t, err, "Envoy goes on")
		require.NoError(t, u.Start(ctx))
		require.NoError(t, u.WaitReady(ctx))
		require.NotEqual(t, pid, u.Process().PID())
		require.NoError(t, s.Envoy().WaitUsers(ctx))
		requireJohn(t, s, read)
		require.NoError(t, u.Stop())
		require.NoError(t, u.Start(ctx))
		metrics, err := u.Metrics(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, metrics)
	})
	t.Run("no second process opens the file", func(t *testing.T) {
		_, err := s.AddUsers(ctx)
		require.ErrorContains(t, err, "one process's")
		in, err := s.AddUsers(ctx, gateway.Authenticate)
		require.NoError(t, err)
		body := fmt.Sprintf(`{"username":%q,"password":%q}`, Username, Password)
		a, err := in.Send(ctx, http.MethodPost, "/authenticate", nil, []byte(body))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
		a, err = in.Send(ctx, http.MethodPost, "/create", s.bearer(), []byte(john))
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, a.Status, a)
	})
}

func TestUsersShareATable(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	s, err := Start(ctx, Options{Dir: t.TempDir(), Campaigns: []byte(oneAd), Users: &UsersOptions{Store: DynamoDB, Replicas: 2}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Envoy().WaitUsers(ctx))
	read := create(t, s)
	for _, u := range s.AllUsers() {
		a, err := u.Send(ctx, http.MethodGet, read, s.bearer(), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", u.Name, a)
	}
	t.Run("a further one stands beside them", func(t *testing.T) {
		third, err := s.AddUsers(ctx)
		require.NoError(t, err)
		require.Equal(t, "users-3", third.Name)
		require.NoError(t, third.WaitReady(ctx))
		a, err := third.Send(ctx, http.MethodGet, read, s.bearer(), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, a)
	})
	t.Run("another stack on the same moto has another table", func(t *testing.T) {
		other, err := Start(ctx, Options{
			Campaigns: []byte(oneAd), Moto: s.Moto, Tools: s.tools, Programs: s.programs, NoEnvoy: true, NoControlPlane: true,
			Users: &UsersOptions{Store: DynamoDB},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, other.Close()) })
		require.NotEqual(t, s.UsersTable, other.UsersTable)
		a, err := other.Users().Send(ctx, http.MethodGet, read, s.bearer(), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, a.Status, a)
	})
}

func TestEndpointsHaveProcessesOfTheirOwn(t *testing.T) {
	ctx := within(t, 5*time.Minute)
	s, err := Start(ctx, Options{Dir: t.TempDir(), Campaigns: []byte(oneAd), Users: &UsersOptions{
		Serve: [][]gateway.Endpoint{{gateway.Authenticate}, {gateway.Create, gateway.Read, gateway.Update}},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Envoy().WaitUsers(ctx))
	s.AllUsers()[0].Kill()
	requireJohn(t, s, create(t, s))
	require.NoError(t, s.AllUsers()[0].Start(ctx))
	s.AllUsers()[1].Kill()
	require.NoError(t, s.Envoy().WaitUsers(ctx, gateway.Authenticate))
	_, err = s.Envoy().SignIn(ctx, Username, Password)
	require.NoError(t, err)
}
