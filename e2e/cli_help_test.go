package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHelp: each command tells how it is used, and a wrong command line is told apart from a failure.
func TestHelp(t *testing.T) {
	c := command{dir: t.TempDir()}
	for _, args := range []string{"--help", "help", "-h", ""} {
		r := c.run(t, strings.Fields(args)...)
		require.Equal(t, 0, r.code, r.stderr)
		for _, name := range []string{
			"serve", "validate", "explain", "bootstrap", "init",
			"campaigns", "diff", "fleet", "held", "history", "poll", "resume", "revert", "rollback", "versions",
		} {
			require.Regexp(t, `(?m)^  `+name+` +[A-Z].*\.$`, r.stdout)
		}
	}
	for _, name := range []string{"serve", "validate", "explain", "bootstrap"} {
		r := c.run(t, name, "--help")
		require.Equal(t, 0, r.code, r.stderr)
		require.Contains(t, r.stdout, "adsidecar "+name)
		require.Contains(t, r.stdout, "--config string")
		require.Empty(t, r.stderr)
		require.Equal(t, r.stdout, c.run(t, "help", name).stdout)

		for _, wrong := range [][]string{{name, "--nope"}, {name, "word"}} {
			r := c.run(t, wrong...)
			require.Equal(t, 2, r.code, wrong)
			require.Empty(t, r.stdout)
			require.Contains(t, r.stderr, "Usage:\n  adsidecar "+name)
		}
	}
	c.run(t, "sevre").require(t, 2, "", "adsidecar: unknown command \"sevre\" for \"adsidecar\"\n\nDid you mean this?\n\tserve\n\n")
}
