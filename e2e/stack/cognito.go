package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Cognito speaks the Cognito API by plain HTTP, the way row S10's client does: a JSON body and the operation in X-Amz-Target.
// Requests are not signed, which moto accepts and AWS does for the sign-in calls alone.
type Cognito struct {
	// Endpoint is the API's URL.
	Endpoint string
}

// CognitoError is an answer of the API that is not 200.
type CognitoError struct {
	Operation string
	Status    int
	// Type is Cognito's name of the error: NotAuthorizedException.
	Type    string
	Message string
}

// Error implements error.
func (e *CognitoError) Error() string {
	return fmt.Sprintf("cognito %s: status %d: %s: %s", e.Operation, e.Status, e.Type, e.Message)
}

// Pool is a user pool.
type Pool struct {
	ID string
	// Issuer is the iss claim of its tokens.
	Issuer string
	// JWKSURL is where its keys are.
	JWKSURL string

	api Cognito
}

// Tokens are the answer to a sign-in. RefreshToken is opaque. ExpiresIn is that of the access and the ID token.
type Tokens struct {
	AccessToken  string
	IDToken      string `json:"IdToken"`
	RefreshToken string
	TokenType    string
	ExpiresIn    int // seconds
}

// Region is where moto's pools and tables are: it takes unsigned requests, which have no region, for this one's.
const Region = "us-east-1"

// issuerPrefix is the iss claim up to the pool's ID.
const issuerPrefix = "https://cognito-idp." + Region + ".amazonaws.com/"

// Pool returns the user pool of this name, and makes it if there is none. Its passwords need six characters of any kind (row
// U10).
func (c Cognito) Pool(ctx context.Context, name string) (*Pool, error) {
	var list struct{ UserPools []struct{ ID, Name string } }
	if err := c.call(ctx, "ListUserPools", map[string]any{"MaxResults": 60}, &list); err != nil {
		return nil, err
	}
	for _, p := range list.UserPools {
		if p.Name == name {
			return c.pool(p.ID), nil
		}
	}
	var made struct{ UserPool struct{ ID string } }
	err := c.call(ctx, "CreateUserPool", map[string]any{
		"PoolName": name,
		"Policies": map[string]any{"PasswordPolicy": map[string]any{
			"MinimumLength": 6, "RequireUppercase": false, "RequireLowercase": false, "RequireNumbers": false, "RequireSymbols": false,
		}},
	}, &made)
	if err != nil {
		return nil, err
	}
	return c.pool(made.UserPool.ID), nil
}

func (c Cognito) pool(id string) *Pool {
	return &Pool{ID: id, Issuer: issuerPrefix + id, JWKSURL: c.Endpoint + "/" + id + "/.well-known/jwks.json", api: c}
}

// Client returns the ID of the app client of this name, and makes it if there is none: without a secret, with sign-in by user
// name and password and by refresh token, and access tokens that live a day (row S13; moto ignores that: an hour).
func (p *Pool) Client(ctx context.Context, name string) (string, error) {
	c, err := p.client(ctx, name, false)
	return c.ClientID, err
}

// SecretClient is Client for a client with a secret, which only a server keeps (row U41).
func (p *Pool) SecretClient(ctx context.Context, name string) (id, secret string, err error) {
	c, err := p.client(ctx, name, true)
	return c.ClientID, c.ClientSecret, err
}

type appClient struct{ ClientID, ClientName, ClientSecret string }

func (p *Pool) client(ctx context.Context, name string, withSecret bool) (appClient, error) {
	var list struct{ UserPoolClients []appClient }
	if err := p.api.call(ctx, "ListUserPoolClients", map[string]any{"UserPoolId": p.ID, "MaxResults": 60}, &list); err != nil {
		return appClient{}, err
	}
	var got struct{ UserPoolClient appClient }
	for _, c := range list.UserPoolClients {
		if c.ClientName == name { // the list has no secrets
			err := p.api.call(ctx, "DescribeUserPoolClient", map[string]any{"UserPoolId": p.ID, "ClientId": c.ClientID}, &got)
			return got.UserPoolClient, err
		}
	}
	err := p.api.call(ctx, "CreateUserPoolClient", map[string]any{
		"UserPoolId":     p.ID,
		"ClientName":     name,
		"GenerateSecret": withSecret,
		// The flow for servers beside the one for games: whichever the user service takes.
		"ExplicitAuthFlows":    []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		"AccessTokenValidity":  1,
		"IdTokenValidity":      1,
		"TokenValidityUnits":   map[string]any{"AccessToken": "days", "IdToken": "hours", "RefreshToken": "days"},
		"RefreshTokenValidity": 30,
	}, &got)
	return got.UserPoolClient, err
}

// User makes the user if the pool lacks it, and sets its password for good: no new one is asked for at the first sign-in.
func (p *Pool) User(ctx context.Context, name, password string) error {
	err := p.api.call(ctx, "AdminCreateUser", map[string]any{"UserPoolId": p.ID, "Username": name, "MessageAction": "SUPPRESS"}, nil)
	var exists *CognitoError
	if err != nil && (!errors.As(err, &exists) || exists.Type != "UsernameExistsException") {
		return err
	}
	return p.api.call(ctx, "AdminSetUserPassword", map[string]any{
		"UserPoolId": p.ID, "Username": name, "Password": password, "Permanent": true,
	}, nil)
}

// Group makes the user a member of the group, which is made if there is none. Tokens of later sign-ins tell it (cognito:groups).
func (p *Pool) Group(ctx context.Context, group, user string) error {
	err := p.api.call(ctx, "CreateGroup", map[string]any{"UserPoolId": p.ID, "GroupName": group}, nil)
	var exists *CognitoError
	if err != nil && (!errors.As(err, &exists) || exists.Type != "GroupExistsException") {
		return err
	}
	return p.api.call(ctx, "AdminAddUserToGroup", map[string]any{"UserPoolId": p.ID, "GroupName": group, "Username": user}, nil)
}

// SignIn signs the user in by InitiateAuth with USER_PASSWORD_AUTH, as a game does.
func (p *Pool) SignIn(ctx context.Context, clientID, name, password string) (*Tokens, error) {
	var got struct{ AuthenticationResult Tokens }
	err := p.api.call(ctx, "InitiateAuth", map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": clientID,
		"AuthParameters": map[string]string{"USERNAME": name, "PASSWORD": password},
	}, &got)
	if err != nil {
		return nil, err
	}
	return &got.AuthenticationResult, nil
}

// callTimeout bounds one call of the API. The first calls to a fresh moto load its modules.
const callTimeout = 30 * time.Second

// call does one operation. in and out are its JSON input and output; out may be nil.
func (c Cognito) call(ctx context.Context, operation string, in map[string]any, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cognito %s: %w", operation, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cognito %s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cognito %s: %w", operation, err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("cognito %s: %w", operation, err)
	}
	if res.StatusCode != http.StatusOK {
		e := &CognitoError{Operation: operation, Status: res.StatusCode, Message: fmt.Sprintf("%.200s", answer)}
		var named struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if json.Unmarshal(answer, &named) == nil && named.Type != "" {
			e.Type, e.Message = named.Type, named.Message
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("cognito %s: read the answer: %w", operation, err)
	}
	return nil
}
