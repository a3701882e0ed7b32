package awsclient

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestTheSDKWritesToOurLog(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	c, err := Load(t.Context(), "eu-west-1", "http://127.0.0.1:1", zap.New(core))
	require.NoError(t, err)
	c.Credentials = credentials.NewStaticCredentialsProvider("key", "secret", "")
	c.ClientLogMode = aws.LogRequest
	c.HTTPClient = answer(http.StatusOK, `{}`)
	client := dynamodb.NewFromConfig(c)
	_, err = client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	require.NoError(t, err)
	require.NotZero(t, logs.FilterMessage("AWS SDK").FilterLevelExact(zap.DebugLevel).Len(), "what a client says comes here")

	c.Logger.Logf(logging.Warn, "the checksum of %s is missing", "x")
	said := logs.FilterField(zap.String("text", "the checksum of x is missing")).All()
	require.Len(t, said, 1)
	require.Equal(t, zap.WarnLevel, said[0].Level)
}
