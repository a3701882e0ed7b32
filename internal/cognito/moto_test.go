package cognito_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"adsidecar/e2e/stack"
	"adsidecar/internal/account"
	"adsidecar/internal/cognito"
)

// TestMoto is the same on a server that somebody else made. See stack.Moto for what it is lax in.
func TestMoto(t *testing.T) {
	ctx := within(t, 5*time.Minute) // the first run makes the Python environment
	tools, err := stack.FindTools(ctx, stack.ToolsConfig{})
	require.NoError(t, err)
	moto, err := stack.StartMoto(ctx, stack.MotoConfig{Tools: tools})
	require.NoError(t, err)
	t.Cleanup(moto.Close)

	config := awsConfig(t, moto.Endpoint)
	api := cip.NewFromConfig(config)
	players, err := moto.Pool(ctx, "players")
	require.NoError(t, err)
	poolID := players.ID

	for name, withSecret := range map[string]bool{"with a secret": true, "without a secret": false} {
		t.Run(name, func(t *testing.T) {
			client, err := api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
				UserPoolId: &poolID, ClientName: &name, GenerateSecret: withSecret,
				ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
			})
			require.NoError(t, err)
			clientID := aws.ToString(client.UserPoolClient.ClientId)
			secret := aws.ToString(client.UserPoolClient.ClientSecret)
			require.Equal(t, withSecret, secret != "")
			pool, err := cognito.New(cognito.Config{AWS: config, PoolID: poolID, ClientID: clientID, ClientSecret: secret})
			require.NoError(t, err)
			require.NoError(t, pool.Ready(ctx))
			user := "john-" + clientID

			first, err := pool.SignIn(ctx, user, password)
			require.NoError(t, err)
			require.True(t, first.New)
			token, err := jwt.ParseInsecure([]byte(first.IDToken))
			require.NoError(t, err)
			sub, _ := token.Subject()
			require.Equal(t, sub, first.UserID)
			audience, _ := token.Audience()
			require.Equal(t, []string{clientID}, audience)

			got, err := api.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &poolID, Username: &user})
			require.NoError(t, err)
			require.Equal(t, types.UserStatusTypeConfirmed, got.UserStatus)

			second, err := pool.SignIn(ctx, user, password)
			require.NoError(t, err)
			require.False(t, second.New)
			require.Equal(t, first.UserID, second.UserID)

			_, err = pool.SignIn(ctx, user, wrong)
			require.ErrorIs(t, err, account.ErrRefused)

			_, err = pool.SignIn(ctx, "short-"+clientID, "12345")
			var invalid *account.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "password", invalid.Field)

			_, err = api.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &poolID, Username: &user})
			require.NoError(t, err)
			_, err = pool.SignIn(ctx, user, password)
			require.ErrorIs(t, err, account.ErrRefused)

			invited := "invited-" + clientID
			_, err = api.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &poolID, Username: &invited, TemporaryPassword: aws.String(password)})
			require.NoError(t, err)
			_, err = pool.SignIn(ctx, invited, password)
			require.ErrorIs(t, err, account.ErrChallenge)

			const callers = 8
			sessions := make([]account.Session, callers)
			var all errgroup.Group
			for i := range callers {
				all.Go(func() (err error) {
					sessions[i], err = pool.SignIn(ctx, "all-"+clientID, password)
					return err
				})
			}
			require.NoError(t, all.Wait())
			fresh := 0
			for _, s := range sessions {
				if s.New {
					fresh++
				}
			}
			require.Equal(t, 1, fresh)
		})
	}

	t.Run("a client that is not there", func(t *testing.T) {
		pool, err := cognito.New(cognito.Config{AWS: config, PoolID: poolID, ClientID: "nobody"})
		require.NoError(t, err)
		require.ErrorContains(t, pool.Ready(ctx), "ResourceNotFoundException")
		_, err = pool.SignIn(ctx, "john", password)
		require.ErrorContains(t, err, "ResourceNotFoundException")
	})
}
