package stack

import (
	"maps"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var pinned = regexp.MustCompile(`(?m)^([a-z0-9._-]+)==(\S+) `)

// versions are what a set pins of each package; several where it depends on the Python.
func versions(t *testing.T, r requirements) map[string]map[string]bool {
	t.Helper()
	pins := map[string]map[string]bool{}
	for _, p := range pinned.FindAllSubmatch(r.pins, -1) {
		name := string(p[1])
		if pins[name] == nil {
			pins[name] = map[string]bool{}
		}
		pins[name][string(p[2])] = true
	}
	require.NotEmpty(t, pins, r.name)
	return pins
}

// All sets are installed into one environment: what two of them pin differently, the later one would change under the earlier.
func TestRequirementsAgreeAboutThePackagesThatTheyShare(t *testing.T) {
	sets := []requirements{motoRequirements, envoyRequirements, schemathesisRequirements}
	shared := 0
	for i, a := range sets {
		for _, b := range sets[:i] {
			of := versions(t, b)
			for name, want := range versions(t, a) {
				if got, ok := of[name]; ok {
					shared++
					require.True(t, maps.Equal(want, got), "%s: %s has %v, %s has %v", name, a.name, want, b.name, got)
				}
			}
		}
	}
	require.NotZero(t, shared)
}
