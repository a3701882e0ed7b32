package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestExplainOfTheNamedCases asks the command what the rules' named cases give: at each change, and in the minute before it.
func TestExplainOfTheNamedCases(t *testing.T) {
	config := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(config, []byte(`issuers: [{issuer: "https://issuer.example", client_ids: [web]}]
campaigns: {file: campaigns.json}
`), 0o600))
	text, err := os.ReadFile(filepath.Join("compile", "testdata", "named.json"))
	require.NoError(t, err)
	var cases map[string]struct {
		Document json.RawMessage
		Changes  []struct {
			From  time.Time
			Turns []string
		}
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for i, change := range tc.Changes[:len(tc.Changes)-1] {
				for _, at := range []time.Time{change.From, tc.Changes[i+1].From.Add(-time.Second)} {
					o := runCommand(t, string(tc.Document), "explain", "--config", config, "--campaigns", "-", "--country", "us", "--lang", "en",
						"--at", at.Format(time.RFC3339), "-o", "json")
					require.Zero(t, o.code, o.stderr)
					var e struct {
						Eligible []struct{ ID string }
						Cycle    []int
					}
					require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
					turns := []string{}
					for _, ad := range e.Cycle {
						turns = append(turns, e.Eligible[ad].ID)
					}
					require.Equal(t, change.Turns, turns, at)
				}
			}
		})
	}
}
