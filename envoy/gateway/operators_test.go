package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhereOperatorsChangesAre(t *testing.T) {
	for name, c := range map[string]struct {
		campaigns string
		want      Operators
		file      string
	}{
		"in the state directory by default":    {"", Operators{}, "state/operators.db"},
		"in the state directory that is given": {"\n  state_dir: /var/lib/ads", Operators{}, "/var/lib/ads/operators.db"},
		"in a file":                            {"\n  operators: {file: changes.db}", Operators{File: "changes.db"}, "changes.db"},
		"in DynamoDB": {
			"\n  operators: {dynamodb: {region: eu-west-1}}",
			Operators{DynamoDB: &OperatorsDynamoDB{Table: "adsidecar-operators", Region: "eu-west-1"}},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c1, err := Parse("gateway.yaml", []byte(minimal+"  poll_interval: 10s"+c.campaigns+"\n"), env())
			require.NoError(t, err)
			require.Equal(t, c.want, c1.Campaigns.Operators)
			require.Equal(t, c.file, c1.Campaigns.OperatorsFile())
			require.EqualValues(t, 1, c1.Guards.MaxRemovedShare, "off by default")
		})
	}
}

func TestAGuardOfNothingIsAValue(t *testing.T) {
	c, err := Parse("gateway.yaml", []byte(minimal+"guards: {max_removed_share: 0}\n"), env())
	require.NoError(t, err)
	require.Zero(t, c.Guards.MaxRemovedShare)
}

func TestOperatorsValuesFromTheEnvironmentAreNotShown(t *testing.T) {
	_, err := Parse("gateway.yaml", []byte(minimal+`  operators: {dynamodb: {table: "/${SECRET}", region: "${SECRET}", endpoint: "${SECRET}"}}
`), env("SECRET", "hunter2"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	require.Contains(t, err.Error(), "${SECRET}")
}
