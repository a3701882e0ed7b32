package boltfile

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

func TestNoWriteIsAcknowledgedIntoAFileThatIsNotAtItsPath(t *testing.T) {
	tests := map[string]struct {
		away, back func(t *testing.T, path string)
	}{
		"it was moved": {
			func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".away")) },
			func(t *testing.T, path string) { require.NoError(t, os.Rename(path+".away", path)) },
		},
		"it was replaced": {
			func(t *testing.T, path string) {
				require.NoError(t, os.Rename(path, path+".away"))
				require.NoError(t, os.WriteFile(path, nil, 0o600))
			},
			func(t *testing.T, path string) { require.NoError(t, os.Rename(path+".away", path)) },
		},
		"it was removed": {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			f := openFile(t, config(path))
			require.NoError(t, f.Update(t.Context(), put("before", "x")))
			test.away(t, path)
			for range 2 {
				err := f.Update(t.Context(), put("meanwhile", "x"))
				require.ErrorIs(t, err, ErrWrite)
				require.ErrorContains(t, err, path)
			}
			require.ErrorIs(t, f.Ready(t.Context()), ErrWrite)
			require.Equal(t, "x", get(t, f, "before"), "reads go on")
			if test.back == nil {
				return
			}
			test.back(t, path)
			require.NoError(t, f.Update(t.Context(), put("after", "x")))
			require.NoError(t, f.Ready(t.Context()))
			require.NoError(t, f.Close())
			f = openFile(t, config(path))
			require.Equal(t, []string{"x", "x"}, []string{get(t, f, "before"), get(t, f, "after")})
		})
	}
}

func TestARefusalForWhatWasWrittenIntoARemovedFileIsNone(t *testing.T) {
	path := newPath(t)
	f := openFile(t, config(path))
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, f.Update(t.Context(), put("id", "x")), ErrWrite)
	err := f.Update(t.Context(), func(tx *bbolt.Tx) error {
		if tx.Bucket(bucket).Get([]byte("id")) != nil {
			return errRefused
		}
		return nil
	})
	require.ErrorIs(t, err, ErrWrite)
	require.NotErrorIs(t, err, errRefused)
}
