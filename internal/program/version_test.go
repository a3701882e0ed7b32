package program

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for name, tc := range map[string]struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		"a tag":                        {"v1.4.0", []debug.BuildSetting{commit, clean}, "v1.4.0, go1.26.1"},
		"a commit without a tag":       {"v0.0.0-20270301080000-0123456789ab+dirty", []debug.BuildSetting{commit, dirty}, "v0.0.0-20270301080000-0123456789ab+dirty, go1.26.1"},
		"a commit alone":               {"(devel)", []debug.BuildSetting{commit, clean}, "0123456789abcdef, go1.26.1"},
		"a commit that was changed":    {"", []debug.BuildSetting{commit, dirty}, "0123456789abcdef+dirty, go1.26.1"},
		"nothing, as without a clone":  {"(devel)", nil, "(devel), go1.26.1"},
		"nothing, as in a test binary": {"", nil, "(devel), go1.26.1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, versionOf(&debug.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Version: tc.version}, Settings: tc.settings}))
		})
	}
	require.Equal(t, "(devel)", versionOf(&debug.BuildInfo{}))
}

func TestEveryProgramTellsItsVersion(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, Run(t.Context(), command(nil), []string{"--version"}, strings.NewReader(""), &stdout, &stderr))
	require.Equal(t, "adprogram "+Version()+"\n", stdout.String())
	require.Empty(t, stderr.String())
}
