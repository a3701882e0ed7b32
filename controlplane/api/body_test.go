package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

func TestComments(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"none":                       {"", true},
		"two lines":                  {"why\nand what", true},
		"as long as it may be":       {strings.Repeat("é", revision.MaxCommentRunes), true},
		"longer":                     {strings.Repeat("é", revision.MaxCommentRunes+1), false},
		"what a terminal obeys":      {"\x1b[2J", false},
		"a line that is overwritten": {"good\rbad", false},
		"a control of eight bits":    {"\u009b2J", false},
		"NUL":                        {"a\x00b", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := checkComment("X-Comment", c.text)
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}
