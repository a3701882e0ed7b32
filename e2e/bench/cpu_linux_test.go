package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUTimeIsReadFromProc(t *testing.T) {
	const fields = " S 1 2 3 0 -1 4194560 5 6 7 8 250 50 11 12 20 0 9 0 100"
	for name, c := range map[string]struct {
		stat string
		want time.Duration
		ok   bool
	}{
		"user and system time":           {"12 (envoy)" + fields, 3 * time.Second, true},
		"a name with spaces and bracket": {"12 (a) b (c)" + fields, 3 * time.Second, true},
		"no name":                        {"12 envoy" + fields, 0, false},
		"a short line":                   {"12 (envoy) S 1 2", 0, false},
		"no number":                      {"12 (envoy) S 1 2 3 0 -1 4194560 5 6 7 8 x 50 11", 0, false},
		"nothing":                        {"", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := cpuTime([]byte(c.stat))
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.want, got)
		})
	}
}

func TestCPUTimeOfThisProcessGrows(t *testing.T) {
	processes := map[string]int{"test": os.Getpid(), "gone": 1 << 30}
	first := cpuTimes(processes)
	require.NotContains(t, first, "gone")
	for until := time.Now().Add(10 * time.Second); cpuTimes(processes)["test"] <= first["test"]; {
		require.True(t, time.Now().Before(until), "no CPU time was counted")
	}
}
