package cognito

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// What Cognito's API reference says of its identifiers. Secrets are letters and digits there, but not in all that stands in for
// Cognito: what matters is the line end of the file that a secret came from.
var (
	poolIDPattern   = regexp.MustCompile(`^[\w-]{1,40}_[0-9a-zA-Z]{1,55}$`)
	clientIDPattern = regexp.MustCompile(`^[\w+]{1,128}$`)
	secretPattern   = regexp.MustCompile(`^[!-~]{1,128}$`)
)

// Config says which user pool signs users in, and as which app client.
type Config struct {
	// AWS has the region, the endpoint, the credentials and how often a call is tried again (package awsclient).
	AWS aws.Config
	// PoolID is the user pool, "eu-west-1_EXAMPLE"; ClientID is one of its app clients.
	PoolID, ClientID string
	// ClientSecret is that client's secret. Empty: it has none.
	ClientSecret string
}

// Pool is a user pool seen through one app client. It is safe for concurrent use.
type Pool struct {
	client               *cip.Client
	id, clientID, secret string
	// ready is what Ready said last.
	ready atomic.Bool
}

// New makes a pool. It calls nothing: whether the pool is there and lets us in is [Pool.Ready]'s to say. The error tells of every
// value that cannot be right, without the secret.
func New(c Config) (*Pool, error) {
	var errs []error
	if c.AWS.Region == "" {
		errs = append(errs, errors.New("the AWS region is missing"))
	}
	if !poolIDPattern.MatchString(c.PoolID) {
		errs = append(errs, errors.New("the user pool ID is not of the form region_letters"))
	}
	if !clientIDPattern.MatchString(c.ClientID) {
		errs = append(errs, errors.New("the client ID is not 1 to 128 letters and digits"))
	}
	if c.ClientSecret != "" && !secretPattern.MatchString(c.ClientSecret) {
		errs = append(errs, errors.New("the client secret is not 1 to 128 visible characters: check its file for spaces and line ends"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p := &Pool{id: c.PoolID, clientID: c.ClientID, secret: c.ClientSecret}
	p.client = cip.NewFromConfig(c.AWS, func(o *cip.Options) {
		if o.Credentials != nil {
			o.Credentials = markedCredentials{o.Credentials}
		}
	})
	return p, nil
}

// secretHash is what Cognito asks for beside the user's name where the client has a secret (row U41); nil where it has none.
func (p *Pool) secretHash(username string) *string {
	if p.secret == "" {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(p.secret))
	mac.Write([]byte(username + p.clientID))
	return aws.String(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// markedCredentials tells a missing credential from a call that failed: the SDK reports both as an error of the call.
type markedCredentials struct{ from aws.CredentialsProvider }

// credentialsError is why there are no credentials. The SDK's text names the sources that it tried, and no values.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string { return e.cause.Error() }
func (e *credentialsError) Unwrap() error { return e.cause }

// Retrieve implements aws.CredentialsProvider.
func (m markedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := m.from.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return c, nil
}
