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

// No request whose body would be read is answered if that is encoded: its bytes would be taken for what they stand for.
func TestEncodedBodiesAreNotRead(t *testing.T) {
	h := start(t, nil)
	asked := 0
	for _, p := range (&server{}).routes() {
		path := "/" + strings.ReplaceAll(strings.Join(p.segments, "/"), "*", "1")
		for method := range p.methods {
			q := request{method: method, path: path, body: "\x1f\x8b", header: map[string]string{"Content-Encoding": "gzip"}}
			if method == "GET" || method == "HEAD" {
				continue
			}
			asked++
			got := h.must(t, 415, q)
			require.Equal(t, "unsupported_media_type", codeOf(t, got))
			require.Equal(t, "identity", got.header.Get("Accept-Encoding"))
			q.who = vera
			require.Equal(t, 403, h.send(t, q).status, "who may not write is told that")
		}
	}
	require.Greater(t, asked, 10)
	for _, accept := range []string{"application/json", linesType} {
		q := request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`, header: map[string]string{"Content-Encoding": "br", "Accept": accept}}
		h.must(t, 415, q)
		require.Zero(t, h.history.State().Rows.Revision())
		q.header["Content-Encoding"] = "identity"
		q.path += "?dry_run=true"
		require.Equal(t, 200, h.send(t, q).status)
	}
	h.must(t, 200, request{method: "GET", path: "/campaigns", header: map[string]string{"Content-Encoding": "gzip"}})
}
