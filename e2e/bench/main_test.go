package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheCommandLineIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		args  string
		want  options
		names []string
	}{
		"one benchmark":       {"push", options{}, []string{"push"}},
		"two with their size": {"-rounds 3 -duration 500ms requests users", options{rounds: 3, duration: 500 * time.Millisecond}, []string{"requests", "users"}},
		"one in short":        {"-quick fleet", options{quick: true}, []string{"fleet"}},
		"all in short":        {"quick", options{quick: true}, []string{"requests", "push", "fleet"}},
		"the report":          {"report", options{}, []string{"report"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, names, err := parse(strings.Fields(c.args), &strings.Builder{})
			require.NoError(t, err)
			require.Equal(t, c.want, o)
			require.Equal(t, c.names, names)
		})
	}
}

func TestWrongArgumentsAreExitCode2(t *testing.T) {
	for name, args := range map[string][]string{
		"nothing": nil, "negative rounds": {"-rounds", "-1", "users"}, "an unknown benchmark": {"read"}, "an unknown flag": {"-x"},
		"no part of that name": {"-only", "limit", "users"}, "a pattern that is none": {"-only", "(", "users"},
		"a report with a benchmark": {"users", "report"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			require.Equal(t, 2, command(t.Context(), args, &out, &errs))
			require.Empty(t, out.String())
			require.NotEmpty(t, errs.String())
		})
	}
	require.Zero(t, command(t.Context(), []string{"-h"}, &strings.Builder{}, &strings.Builder{}))
}

func TestPartsAreChosen(t *testing.T) {
	o, names, err := parse([]string{"-only", "push/limit|latency", "push"}, &strings.Builder{})
	require.NoError(t, err)
	require.Equal(t, []string{"push"}, names)
	var chosen []string
	for _, part := range []string{compilePart, memoryPart, pushPart, endurancePart, limitPart} {
		if o.wants(part) {
			chosen = append(chosen, part)
		}
	}
	require.Equal(t, []string{pushPart, limitPart}, chosen)
	require.True(t, (&options{}).wants(limitPart))
}

func TestWhatIsNotSetIsTheBenchmarksOwn(t *testing.T) {
	require.Equal(t, options{rounds: 5, duration: time.Second}, options{}.or(5, time.Second, 1, time.Millisecond))
	require.Equal(t, options{rounds: 1, duration: time.Millisecond, quick: true}, options{quick: true}.or(5, time.Second, 1, time.Millisecond))
	require.Equal(t, options{rounds: 2, duration: time.Hour}, options{rounds: 2, duration: time.Hour}.or(5, time.Second, 1, time.Millisecond))
}
