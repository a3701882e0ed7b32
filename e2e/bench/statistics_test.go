package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i) // 1 to 100, not in order
	}
	for name, c := range map[string]struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		"the 50th of 100":              {hundred, 50, 50},
		"the 99th of 100":              {hundred, 99, 99},
		"all of 100":                   {hundred, 100, 100},
		"the least of 100":             {hundred, 0.1, 1},
		"the middle of three":          {[]time.Duration{9, 1, 5}, 50, 5},
		"the lower one of two":         {[]time.Duration{9, 1}, 50, 1},
		"the 99th of few is the most":  {[]time.Duration{9, 1, 5}, 99, 9},
		"one value is each percentile": {[]time.Duration{7}, 1, 7},
		"rank 2.5 is rounded up":       {[]time.Duration{1, 2, 3, 4, 5}, 50, 3},
		"rank 1.25 is rounded up":      {[]time.Duration{1, 2, 3, 4, 5}, 25, 2},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, percentile(c.values, c.p)) })
	}
}
