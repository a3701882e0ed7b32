package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const cognitoGateway = `
issuers:
- {issuer: "https://other.example.com", client_ids: [other]}
- {issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE", client_ids: [web, game]}
campaigns: {file: campaigns.json}
`

func TestUsersDefaultsComplete(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(cognitoGateway+`
users:
  address: 127.0.0.1:1
  connect_each: {read: ["127.0.0.1:2", "127.0.0.1:3"]}
  sign_in_rate: {per: 10s}
  cognito: {issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE"}
`), env())
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:1"}, c.UsersEndpoints(Create), "it connects to where it listens")
	require.Equal(t, []string{"127.0.0.1:2", "127.0.0.1:3"}, c.UsersEndpoints(Read))
	require.Equal(t, AccessOwner, c.Users.Access, "nobody sees another's record by default")
	require.Equal(t, "operators", c.Users.OperatorsGroup)
	require.Equal(t, Rate{Requests: 30, Per: Duration(10 * time.Second)}, c.Users.SignInRate)
	require.Equal(t, &c.Issuers[1], c.UsersIssuer())
	require.Equal(t, "web", c.Users.Cognito.ClientID)
	require.Equal(t, "eu-west-1_EXAMPLE", c.Users.Cognito.PoolID())
	require.Equal(t, Store{File: "users.db"}, c.Users.Store)
}

func TestUsersStoreIsInThePoolsRegion(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(cognitoGateway+`
users:
  cognito: {issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE"}
  store: {dynamodb: {}}
`), env())
	require.NoError(t, err)
	require.Equal(t, Store{DynamoDB: &DynamoDBStore{Table: "unouserdb", Region: "eu-west-1"}}, c.Users.Store)
}

func TestWithoutUsersThereIsNone(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(cognitoGateway+`
routes:
- {path: /create, upstream: game}
upstreams:
- {name: game, endpoints: ["127.0.0.1:1"]}
`), env())
	require.NoError(t, err, "its paths are free")
	require.Nil(t, c.Users)
}

// TestUsersValuesFromTheEnvironmentAreNotShown: a finding may end up in a log.
func TestUsersValuesFromTheEnvironmentAreNotShown(t *testing.T) {
	_, err := Parse("gateway.yaml", []byte(cognitoGateway+`
users:
  address: ${SECRET}
  connect_each: {read: ["${SECRET}"]}
  access: ${SECRET}
  operators_group: ${SECRET} x
  cognito: {issuer: "${SECRET}", client_id: "${SECRET}", endpoint: "${SECRET}"}
  store: {dynamodb: {table: "/${SECRET}", region: "${SECRET}", endpoint: "${SECRET}"}}
`), env("SECRET", "hunter2"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	require.Contains(t, err.Error(), "${SECRET}")
}
