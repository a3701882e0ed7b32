package main

import (
	"math"
	"slices"
	"time"
)

// percentile is the least of the values that at least p percent of them do not exceed (nearest rank). It sorts them. There must be some,
// and p must be above 0 and at most 100.
func percentile(values []time.Duration, p float64) time.Duration {
	slices.Sort(values)
	return values[int(math.Ceil(float64(len(values))*p/100))-1]
}
