package stack

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSeries(t *testing.T) {
	got, err := parseSeries([]byte("# HELP x y\n# TYPE x counter\nx 3\n\ny{a=\"b c\",d=\"}\"} 1e3 1700000000\nz NaN\n"))
	require.NoError(t, err)
	require.Equal(t, 3.0, got["x"])
	require.Equal(t, 1000.0, got[`y{a="b c",d="}"}`])
	require.Contains(t, got, "z")
	for _, bad := range []string{"x", "x{}", "x y", " {"} {
		_, err := parseSeries([]byte(bad))
		require.Error(t, err, bad)
	}
}
