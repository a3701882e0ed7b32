package boltstore

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCreate creates records with keys from 16 goroutines (8 for each of 2 processors).
func BenchmarkCreate(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "users.db"))
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			if err := s.Create(b.Context(), testRecord(i), testKey(i, testNow.Add(time.Hour)), testNow); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
	b.ReportMetric(float64(b.N)/float64(s.Stats().Commits), "creates/commit")
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}
