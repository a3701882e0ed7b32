package gateway

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestS3ObjectIsTheURLAsItIs(t *testing.T) {
	const path = "testdata/s3.good.yaml"
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := Parse(path, data, env())
	require.NoError(t, err)
	bucket, key, ok := c.Campaigns.S3Object()
	require.True(t, ok)
	require.Equal(t, "campaigns.example", bucket)
	require.Equal(t, "ads/now%20#1.json?", key)
	require.Equal(t, CampaignsS3{Region: "eu-west-1", Endpoint: "https://vpce-1.s3.eu-west-1.vpce.amazonaws.com", PathStyle: true}, *c.Campaigns.S3)

	_, _, ok = (&Campaigns{URL: "https://bucket/key"}).S3Object()
	require.False(t, ok)
}

func TestBucketNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"abc": true, "a.b-c": true, "0a9": true, "ab": false, "a..b": false, ".ab": false, "ab-": false, "aBc": false, "a/b": false, "a_b": false,
	} {
		require.Equal(t, ok, bucketName.MatchString(name), name)
	}
}
