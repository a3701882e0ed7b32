package abi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadersAreSizesThenTexts(t *testing.T) {
	tests := map[string]struct {
		list [][2]string
		want string
	}{
		"none":        {nil, "\x00\x00\x00\x00"},
		"one":         {[][2]string{{"a", "bc"}}, "\x01\x00\x00\x00" + "\x01\x00\x00\x00\x02\x00\x00\x00" + "a\x00bc\x00"},
		"empty texts": {[][2]string{{"", ""}}, "\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00"},
		"two": {
			[][2]string{{"a", "b"}, {"c", string(make([]byte, 258))}},
			"\x02\x00\x00\x00" + "\x01\x00\x00\x00\x01\x00\x00\x00" + "\x01\x00\x00\x00\x02\x01\x00\x00" +
				"a\x00b\x00c\x00" + string(make([]byte, 259)),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, string(AppendHeaders(nil, tc.list)))
			// The room of what was encoded before is taken again, and nothing of it is left.
			require.Equal(t, tc.want, string(AppendHeaders(AppendHeaders(nil, tests["two"].list)[:0], tc.list)))
		})
	}
}

func TestAStatusSaysWhatTheHostAnswered(t *testing.T) {
	for status, want := range map[Status]string{
		NotFound:        "the host has none",
		InternalFailure: "the host failed",
		12:              "the host answers status 12",
	} {
		require.EqualError(t, status, want)
	}
}
