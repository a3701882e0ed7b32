package cognito

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"adsidecar/internal/account"
)

const describeClient = "DescribeUserPoolClient"

// readyTries is for one check: whoever asks for readiness asks again.
const readyTries = 2

// Ready returns nil if users can be signed in as far as can be told without one: the pool answers, knows the client, and lets it sign
// in by password from a server; and a client with a secret is configured with one. A wrong secret shows with the first sign-in only: a
// client may have two, of which the pool tells one. A throttled check does not make a ready pool unready: it answers.
//
// Each call is one DescribeUserPoolClient (IAM permission cognito-idp:DescribeUserPoolClient), whose rate AWS limits for the whole
// account: the caller asks every few seconds, and bounds ctx.
//
// The errors are ErrUnavailable, ErrThrottled, those of ctx, or an internal one that names the cause.
func (p *Pool) Ready(ctx context.Context) error {
	err := p.check(ctx)
	if errors.Is(err, account.ErrThrottled) && p.ready.Load() {
		return nil
	}
	p.ready.Store(err == nil)
	return err
}

func (p *Pool) check(ctx context.Context) error {
	out, err := p.client.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &p.id, ClientId: &p.clientID},
		func(o *cip.Options) { o.RetryMaxAttempts = readyTries })
	if err != nil {
		return p.failure(ctx, describeClient, err)
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
