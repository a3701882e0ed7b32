package program

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func command(result error) *cobra.Command {
	root := &cobra.Command{Use: "adprogram", Short: "Of this test."}
	serve := &cobra.Command{Use: "serve", Short: "Serve.", Args: NoArguments}
	level := LogLevelFlag(serve)
	serve.RunE = func(cmd *cobra.Command, _ []string) error {
		logs, err := NewLogs(*level, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		logs.Log.Info("served")
		return result
	}
	root.AddCommand(serve)
	return root
}

func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		args   []string
		result error
		code   int
		stderr string // is in it
	}{
		"a command that succeeds":     {[]string{"serve"}, nil, 0, `"message":"served"`},
		"a command that fails":        {[]string{"serve"}, errors.New("no disk"), 1, "adprogram: no disk\n"},
		"one that has said why":       {[]string{"serve", "--log-level", "error"}, ErrReported, 1, ""},
		"one that was misused":        {[]string{"serve"}, Misused(errors.New("not both")), 2, "adprogram: not both\n"},
		"one with a code of its own":  {[]string{"serve"}, ExitWith(3, errors.New("too late")), 3, "adprogram: too late\n"},
		"an unknown command":          {[]string{"sreve"}, nil, 2, `adprogram: unknown command "sreve"`},
		"an unknown flag":             {[]string{"serve", "--fast"}, nil, 2, "unknown flag: --fast\n\nUsage:"},
		"an argument too many":        {[]string{"serve", "now"}, nil, 2, `serve takes no arguments, got ["now"]`},
		"a log level that is none":    {[]string{"serve", "--log-level", "loud"}, nil, 2, `--log-level: "loud" is none of debug, info, warn, error`},
		"a log level that would stop": {[]string{"serve", "--log-level", "panic"}, nil, 2, `--log-level: "panic" is none of`},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, tc.code, Run(t.Context(), command(tc.result), tc.args, strings.NewReader(""), &stdout, &stderr))
			require.Contains(t, stderr.String(), tc.stderr)
			require.Empty(t, stdout.String())
			if tc.stderr == "" {
				require.Empty(t, stderr.String())
			}
		})
	}
}

func TestPart(t *testing.T) {
	require.NoError(t, Part("xds", nil))
	require.NoError(t, Part("xds", context.Canceled))
	require.EqualError(t, Part("xds", errors.New("no port")), "xds: no port")
}

// TestAFloodOfOneMessageIsSampled: the clock of a burst may cross a second, which begins a new count.
func TestAFloodOfOneMessageIsSampled(t *testing.T) {
	var out bytes.Buffer
	logs, err := NewLogs("info", &out)
	require.NoError(t, err)
	const flood = 100_000
	for range flood {
		logs.Log.Warn("request not served")
	}
	logs.Log.Warn("another message")
	lines := strings.Count(out.String(), "request not served")
	require.GreaterOrEqual(t, lines, sampleFirst)
	require.Less(t, lines, flood/10)
	require.Equal(t, 1, strings.Count(out.String(), "another message"))
}

func TestTheAuditIsWhole(t *testing.T) {
	for _, level := range []string{"debug", "error"} {
		t.Run(level, func(t *testing.T) {
			var out bytes.Buffer
			logs, err := NewLogs(level, &out)
			require.NoError(t, err)
			const changes = 1000
			for range changes {
				logs.Audit.Info("change made")
			}
			require.Equal(t, changes, strings.Count(out.String(), `"message":"change made"`))
		})
	}
}
