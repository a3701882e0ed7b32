package boltfile

import (
	"encoding/binary"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// BenchmarkWrites compares the ways to write from 16 goroutines (8 for each of 2 processors), and from one.
func BenchmarkWrites(b *testing.B) {
	value := make([]byte, 300)
	bucket := []byte("records")
	ways := map[string]func(b *testing.B, f *File, fn func(*bbolt.Tx) error) error{
		"File.Update":      func(b *testing.B, f *File, fn func(*bbolt.Tx) error) error { return f.Update(b.Context(), fn) },
		"bbolt.Update":     func(_ *testing.B, f *File, fn func(*bbolt.Tx) error) error { return f.db.Update(fn) },
		"bbolt.Batch 10ms": func(_ *testing.B, f *File, fn func(*bbolt.Tx) error) error { return f.db.Batch(fn) },
		"bbolt.Batch 1ms": func(_ *testing.B, f *File, fn func(*bbolt.Tx) error) error {
			return f.db.Batch(fn)
		},
	}
	for name, way := range ways {
		for writers, parallelism := range map[string]int{"one": 0, "sixteen": 8} {
			b.Run(name+"/"+writers, func(b *testing.B) {
				f, err := Open(Config{Path: filepath.Join(b.TempDir(), "x.db"), Kind: "test", Schema: 1, Buckets: [][]byte{bucket}})
				require.NoError(b, err)
				defer func() { require.NoError(b, f.Close()) }()
				if name == "bbolt.Batch 1ms" {
					f.db.MaxBatchDelay = time.Millisecond
				}
				var n atomic.Uint64
				put := func() error {
					key := binary.BigEndian.AppendUint64(nil, n.Add(1)*0x9e3779b97f4a7c15) // spread over the pages, as random IDs are
					return way(b, f, func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
				}
				if parallelism == 0 {
					for b.Loop() {
						require.NoError(b, put())
					}
				} else {
					b.SetParallelism(parallelism)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := put(); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}
