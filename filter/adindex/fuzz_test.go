package adindex

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOpen gives half of its inputs a header that agrees, to get past the checksum. Whatever Open accepts must bear every lookup.
// Seeds beside these are in testdata/fuzz/FuzzOpen.
func FuzzOpen(f *testing.F) {
	small := smallIndex(f)
	empty, err := NewBuilder().Build(0)
	require.NoError(f, err)
	for _, data := range [][]byte{nil, []byte(magic), []byte("not an index at all"), empty, small, small[:len(small)-4]} {
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, repaired bool) {
		if repaired {
			data = repair(bytes.Clone(data))
		}
		version := Version(data)
		r, err := Open(data)
		if err != nil {
			require.Nil(t, r)
			return
		}
		require.Len(t, version, 32)
		require.Equal(t, len(data), r.Size())
		walk(t, r)
	})
}
