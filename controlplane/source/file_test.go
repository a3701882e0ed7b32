package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

func TestFilePoll(t *testing.T) {
	path := tempFile(t, document)
	f := newFile(t, FileConfig{Path: path})

	require.Equal(t, document, pollText(t, f))
	pollUnchanged(t, f)
	writeFile(t, path, `{"ads":[1]}`)
	require.Equal(t, `{"ads":[1]}`, pollText(t, f))
	writeFile(t, path, "")
	require.Empty(t, pollText(t, f), "the caller judges it")
	pollUnchanged(t, f)
}

func TestFilePollSeesAChangeThatKeepsSizeAndTime(t *testing.T) {
	path := tempFile(t, `{"ads":[1]}`)
	modified := time.Unix(1_800_000_000, 0)
	require.NoError(t, os.Chtimes(path, modified, modified))
	f := newFile(t, FileConfig{Path: path})

	require.Equal(t, `{"ads":[1]}`, pollText(t, f))
	writeFile(t, path, `{"ads":[2]}`)
	require.NoError(t, os.Chtimes(path, modified, modified))
	require.Equal(t, `{"ads":[2]}`, pollText(t, f))
}

func TestFileTouchedIsNotModified(t *testing.T) {
	path := tempFile(t, document)
	f := newFile(t, FileConfig{Path: path})

	require.Equal(t, document, pollText(t, f))
	later := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(path, later, later))
	pollUnchanged(t, f)
}

func TestFileMissingIsAnErrorUntilItAppears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "campaigns.json")
	f := newFile(t, FileConfig{Path: path})

	require.ErrorContains(t, pollError(t, f), "open "+path+": no such file")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	writeFile(t, path, document)
	require.Equal(t, document, pollText(t, f))
	require.NoError(t, os.Remove(path))
	require.ErrorContains(t, pollError(t, f), path)
	writeFile(t, path, document)
	pollUnchanged(t, f)
}

func TestFileThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	require.EqualError(t, pollError(t, newFile(t, FileConfig{Path: dir})), "read "+dir+": not a regular file")
}

func TestFileSizeLimitIsExact(t *testing.T) {
	path := tempFile(t, strings.Repeat("x", 1000))
	f := newFile(t, FileConfig{Path: path, MaxBytes: 1000})

	require.Len(t, pollText(t, f), 1000)
	writeFile(t, path, strings.Repeat("x", 1001))
	var tooLarge *TooLargeError
	err := pollError(t, f)
	require.ErrorAs(t, err, &tooLarge)
	require.EqualError(t, err, "read "+path+": larger than 1000 bytes")
}

func TestFileDefaultLimitRefusesAGibibyteOfZeros(t *testing.T) {
	path := tempFile(t, "")
	require.NoError(t, os.Truncate(path, gibibyte))
	require.ErrorContains(t, pollError(t, newFile(t, FileConfig{Path: path})), "larger than 67108864 bytes")
}

func TestFileSourceTime(t *testing.T) {
	c := newClock()
	tests := map[string]struct{ modified, want time.Time }{
		"is the modification time":         {modified: c.at.Add(-time.Hour), want: c.at.Add(-time.Hour)},
		"is now for the epoch":             {modified: time.Unix(0, 0), want: c.at},
		"is now for the first second, too": {modified: time.Unix(1, 0), want: c.at},
		"is now for a time in the future":  {modified: c.at.Add(time.Hour), want: c.at},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, document)
			require.NoError(t, os.Chtimes(path, tt.modified, tt.modified))
			snapshot, err := newFile(t, FileConfig{Path: path, Now: c.now}).Poll(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.want, snapshot.SourceTime)
		})
	}
}

func TestFileResumes(t *testing.T) {
	path := tempFile(t, document)
	f := newFile(t, FileConfig{Path: path})
	f.Resume(campaign.Snapshot{Data: []byte(document)}, f.Position())
	pollUnchanged(t, f)
	writeFile(t, path, `{"ads":[1]}`)
	require.Equal(t, `{"ads":[1]}`, pollText(t, f))
}

func TestFileEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newFile(t, FileConfig{Path: tempFile(t, document)}).Poll(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestFileDescribesItself(t *testing.T) {
	path := tempFile(t, document)
	t.Chdir(filepath.Dir(path))
	dir, err := os.Getwd()
	require.NoError(t, err)
	f := newFile(t, FileConfig{Path: "file"})
	kind, location := f.Describe()
	require.Equal(t, "file", kind)
	require.Equal(t, filepath.Join(dir, "file"), location)
	require.Equal(t, "file "+location, f.Identity())
}

func TestNewFileRefuses(t *testing.T) {
	_, err := NewFile(FileConfig{})
	require.EqualError(t, err, "path: missing")
	_, err = NewFile(FileConfig{Path: "x", MaxBytes: -1})
	require.EqualError(t, err, "max bytes: -1 is negative")
}
