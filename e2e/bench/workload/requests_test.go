package workload_test

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/bench/workload"
)

func TestRequestsAskByZipfsLawAndOneOfTenInVain(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	keys := make(map[workload.Key]bool)
	for _, key := range workload.AllKeys(1) {
		keys[key] = true
	}
	asked := make(map[workload.Key]int)
	misses := 0
	for _, r := range workload.Requests(1, workload.Keys, n) {
		require.Equal(t, !r.Miss, keys[r.Key])
		if r.Miss {
			misses++
		} else {
			asked[r.Key]++
		}
	}
	require.InDelta(t, n/10, misses, n/200)
	first := asked[workload.AllKeys(1)[0]]
	for rank, times := range map[int]float64{1: 2.14, 9: 12.6, 99: 158.5} { // (rank+1)^1.1
		require.InEpsilon(t, float64(first)/times, asked[workload.AllKeys(1)[rank]], 0.1)
	}
}

func TestRequestsStayAmongTheFirstKeys(t *testing.T) {
	t.Parallel()
	among := make(map[workload.Key]bool)
	for _, key := range workload.AllKeys(1)[:100] {
		among[key] = true
	}
	for _, r := range workload.Requests(1, 100, 10_000) {
		require.NotEqual(t, r.Miss, among[r.Key])
	}
}

// What one contender is asked is what all are asked, today and later.
func TestRequestsAreTheSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	var text []byte
	for _, r := range workload.Requests(1, workload.Keys, 1000) {
		text = append(text, r.Key.Country+r.Key.Lang...)
	}
	require.Equal(t, uint32(0xb6261180), crc32.ChecksumIEEE(text))
}
