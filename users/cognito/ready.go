package cognito

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"adsidecar/users/account"
)

const describeClient = "DescribeUserPoolClient"

// How long an answer of Ready holds: health checks of several proxies each second are one call in five seconds, and a pool that is
// back is seen a second later.
const (
	readyFor    = 5 * time.Second
	notReadyFor = time.Second
	// readyWithin bounds one check, with readyTries tries.
	readyWithin = 3 * time.Second
	readyTries  = 2
)

// Ready returns nil if users can be signed in as far as can be told without one: the pool answers, knows the client, and lets it sign
// in by password from a server; and a client with a secret is configured with one. It calls DescribeUserPoolClient (IAM permission
// cognito-idp:DescribeUserPoolClient). A wrong secret shows with the first sign-in only: a client may have two, of which the call
// tells one. Answers hold for five seconds, failures for one; several calls at once make one check, and all wait for it within their
// own ctx. A throttled check does not make a ready pool unready.
//
// The errors are ErrUnavailable, ErrThrottled, those of ctx, or an internal one that names the cause.
func (p *Pool) Ready(ctx context.Context) error {
	select {
	case p.checking <- struct{}{}:
		defer func() { <-p.checking }()
	case <-ctx.Done():
		return fmt.Errorf("check the user pool: %w: %w", account.ErrUnavailable, ctx.Err())
	}
	if p.readinessSet && p.now().Before(p.readinessExpires) {
		return p.readiness
	}
	err := p.check(ctx)
	if ctx.Err() != nil {
		return err // says something of the caller, not of the pool
	}
	if errors.Is(err, account.ErrThrottled) && p.wasReady {
		err = nil
	}
	lifetime := readyFor
	if err != nil {
		lifetime = notReadyFor
	}
	p.readiness, p.readinessExpires, p.readinessSet, p.wasReady = err, p.now().Add(lifetime), true, err == nil
	return err
}

func (p *Pool) check(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	out, err := p.client.DescribeUserPoolClient(bounded, &cip.DescribeUserPoolClientInput{UserPoolId: &p.id, ClientId: &p.clientID},
		func(o *cip.Options) { o.RetryMaxAttempts = readyTries })
	if err != nil {
		return p.failure(bounded, describeClient, err)
	}
	if out.UserPoolClient == nil {
		return errors.New(describeClient + ": the answer has no client")
	}
	flows := out.UserPoolClient.ExplicitAuthFlows
	// The second is the first's name from before 2019.
	if !slices.Contains(flows, types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth) &&
		!slices.Contains(flows, types.ExplicitAuthFlowsTypeAdminNoSrpAuth) {
		return fmt.Errorf("%s: client %s does not allow %s", describeClient, p.clientID, types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth)
	}
	if aws.ToString(out.UserPoolClient.ClientSecret) != "" && p.secret == "" {
		return fmt.Errorf("%s: client %s has a secret, and none is configured", describeClient, p.clientID)
	}
	return nil
}
