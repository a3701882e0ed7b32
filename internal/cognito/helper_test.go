package cognito_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/internal/account"
	"adsidecar/internal/awsclient"
	"adsidecar/internal/cognito"
	"adsidecar/internal/cognito/strictfake"
)

const (
	clientID  = "4f2tstgame"
	secret    = "s3cr3tofthegameclient"
	accessKey = "AKIATESTUSERS"
	secretKey = "wJalrXUtnFEMISECRETKEY"
	password  = "randompassword" // row U10
	wrong     = "notthepassword"
)

// what a sign-in calls.
var (
	known         = []string{"AdminInitiateAuth"}
	firstTime     = []string{"AdminInitiateAuth", "SignUp", "AdminConfirmSignUp", "AdminInitiateAuth"}
	wrongPassword = []string{"AdminInitiateAuth", "SignUp", "AdminInitiateAuth"}
	healed        = []string{"AdminInitiateAuth", "AdminConfirmSignUp", "AdminInitiateAuth"}
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// awsConfig is the program's own configuration with quick retries.
func awsConfig(t *testing.T, endpoint string) aws.Config {
	t.Helper()
	c, err := awsclient.Load(t.Context(), "us-east-1", endpoint, zap.NewNop())
	require.NoError(t, err)
	c.Credentials = credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 4, time.Millisecond })
	}
	return c
}

// fixture is a fake and a pool that uses it, and the log of a caller that logs every error.
type fixture struct {
	*strictfake.Server
	pool   *cognito.Pool
	aws    aws.Config
	log    *zap.Logger
	logged *observer.ObservedLogs
}

func start(t *testing.T, c strictfake.Config, change ...func(*cognito.Config)) *fixture {
	t.Helper()
	if c.Clients == nil {
		c.Clients = []strictfake.Client{{ID: clientID, Secret: secret, HideUsers: true}}
	}
	if c.AccessKeys == nil {
		c.AccessKeys = []string{accessKey}
	}
	server, err := strictfake.Start(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	f := &fixture{Server: server, aws: awsConfig(t, server.URL())}
	core, logged := observer.New(zap.DebugLevel)
	f.log, f.logged = zap.New(core), logged
	f.pool = f.newPool(t, change...)
	return f
}

func (f *fixture) newPool(t *testing.T, change ...func(*cognito.Config)) *cognito.Pool {
	t.Helper()
	c := cognito.Config{AWS: f.aws, PoolID: f.PoolID(), ClientID: clientID, ClientSecret: secret}
	for _, apply := range change {
		apply(&c)
	}
	pool, err := cognito.New(c)
	require.NoError(t, err)
	return pool
}

// signIn signs in, logs the error as a program would, and fails the test if that tells a secret.
func (f *fixture) signIn(t *testing.T, username, password string) (account.Session, error) {
	t.Helper()
	s, err := f.pool.SignIn(within(t, patience), username, password)
	if err != nil {
		f.log.Error("sign-in", zap.Error(err))
		require.Empty(t, s)
	}
	for _, entry := range f.logged.TakeAll() {
		for key, value := range entry.ContextMap() {
			require.NotContains(t, value, password, key)
			require.NotContains(t, value, secret, key)
			require.NotContains(t, value, secretKey, key)
			require.NotContains(t, value, "eyJ", "the beginning of a token in "+key)
		}
	}
	return s, err
}

// barrier returns a hook that holds the first n calls of an operation until all n are there.
func barrier(operation string, n int) func(string) {
	var mu sync.Mutex
	all := make(chan struct{})
	return func(name string) {
		if name != operation {
			return
		}
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		<-all
	}
}

// impatient gives up an answer soon.
func impatient(c *cognito.Config) {
	c.AWS.HTTPClient = &http.Client{Timeout: 200 * time.Millisecond}
}
