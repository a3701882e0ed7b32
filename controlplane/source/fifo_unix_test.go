//go:build unix

package source

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileThatIsAPipeDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	require.EqualError(t, pollError(t, newFile(t, FileConfig{Path: path})), "read "+path+": not a regular file")
}
