package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadSecret(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	for text, want := range map[string]string{"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret", " s ": " s "} {
		got, err := ReadSecret("key", write(text))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := ReadSecret("key", "")
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = ReadSecret("part.key", write("\n"))
	require.ErrorContains(t, err, "part.key: ")
	require.ErrorContains(t, err, "is empty")
	_, err = ReadSecret("part.key", filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "part.key: ")
	require.ErrorIs(t, err, os.ErrNotExist)
}
