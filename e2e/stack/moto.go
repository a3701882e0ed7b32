package stack

import (
	"context"
	"fmt"
	"time"
)

// Moto is a moto server: Cognito's API and signed tokens, and DynamoDB's, in one process at one address. What was found out about version 5.2.5:
//
//   - The JWKS of a pool is at ENDPOINT/POOL/.well-known/jwks.json. It is the same for every pool, and for a pool that does not
//     exist: one RSA key with the kid "dummy" signs all tokens (RS256). Another key or kid needs an [Issuer].
//   - iss is https://cognito-idp.us-east-1.amazonaws.com/POOL, as unsigned requests carry no region.
//   - An access token has token_use=access, client_id, username, scope, sub, and no aud. An ID token has token_use=id,
//     aud=client, cognito:username, sub, and no client_id. A refresh token is an opaque UUID.
//   - Both live 3600 s whatever the client's TokenValidityUnits say.
//   - Client-credentials tokens are not possible: /oauth2/token is not implemented.
//   - A client's secret counts for little: SignUp, InitiateAuth with USER_PASSWORD_AUTH and AdminInitiateAuth take any SECRET_HASH, or
//     none. REFRESH_TOKEN_AUTH wants the right one. CreateUserPoolClient and DescribeUserPoolClient tell the secret, a UUID, the list
//     of clients does not.
//   - A client's ExplicitAuthFlows are not looked at.
//   - A user that signed up and is not confirmed is refused by InitiateAuth, but not by AdminInitiateAuth. An unknown user is told apart
//     from a wrong password, whatever PreventUserExistenceErrors says.
//   - Signatures of requests are not checked. Their region selects the backend, without one us-east-1; any access key is the same account.
//   - Tables are everybody's who knows their names: stacks that share a Moto need names of their own.
//   - State is in memory: a new process has no pools, no users and no tables.
//
// It is safe for concurrent use, and one Moto serves any number of stacks.
type Moto struct {
	Cognito
	// Process is the server.
	Process *Process

	port *Port
}

// motoStart bounds the start of a moto server: mostly Python loading modules, so longer on a busy machine.
const motoStart = 60 * time.Second

// MotoConfig says how a moto server is started.
type MotoConfig struct {
	Tools *Tools
	// LogFile takes its output, requests and deprecation warnings included. Empty: memory only.
	LogFile string
	// Port on 127.0.0.1. 0: a free one.
	Port int
}

// StartMoto starts a moto server and waits until it answers.
func StartMoto(ctx context.Context, c MotoConfig) (*Moto, error) {
	m := &Moto{}
	number := c.Port
	if number == 0 {
		port, err := ReservePort()
		if err != nil {
			return nil, err
		}
		m.port, number = port, port.Number
	}
	m.Endpoint = "http://" + address(number)
	var err error
	m.Process, err = StartProcess(Command{
		Name:    "moto",
		Path:    c.Tools.Python,
		Args:    []string{"-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(number)},
		Env:     []string{"PYTHONUNBUFFERED=1", "PYTHONWARNINGS=ignore", "PYTHONPATH=", "NO_COLOR=1"},
		LogFile: c.LogFile,
	})
	if err != nil {
		m.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, motoStart)
	defer cancel()
	err = m.Process.WaitFor(ctx, "ready", func(ctx context.Context) error {
		return m.call(ctx, "ListUserPools", map[string]any{"MaxResults": 1}, nil)
	})
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends the server.
func (m *Moto) Close() {
	if m.Process != nil {
		_ = m.Process.Stop(stopGrace) // it has no state to lose: killed is as good
	}
	if m.port != nil {
		m.port.Release()
	}
}
