package source

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
)

// watch runs f until the test ends and returns once it watches.
func watch(t *testing.T, f *File) {
	t.Helper()
	f.watching = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	<-f.watching
	<-f.Changed() // the beginning is one: a change before it would have been missed
}

// awaitText waits until a change has been reported after which the file has the text.
func awaitText(t *testing.T, f *File, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case <-f.Changed():
			if snapshot, err := f.Poll(t.Context()); err == nil && string(snapshot.Data) == text {
				return
			}
		case <-deadline:
			require.FailNow(t, "no change reported", "want the text %q", text)
		}
	}
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	other := tempFileIn(t, filepath.Dir(path), text)
	require.NoError(t, os.Rename(other, path))
}

func tempFileIn(t *testing.T, dir, text string) string {
	t.Helper()
	f, err := os.CreateTemp(dir, "new-*")
	require.NoError(t, err)
	send(t, f, text)
	require.NoError(t, f.Close())
	return f.Name()
}

func TestWatchSeesAWriteInPlace(t *testing.T) {
	path := tempFile(t, "one")
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	writeFile(t, path, "two")
	awaitText(t, f, "two")
	writeFile(t, path, "three")
	awaitText(t, f, "three")
}

func TestWatchSeesAFileRenamedOverIt(t *testing.T) {
	path := tempFile(t, "one")
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	for _, text := range []string{"two", "three", "four"} {
		replace(t, path, text)
		awaitText(t, f, text)
	}
}

func TestWatchSeesAFileThatAppears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	writeFile(t, path, "one")
	awaitText(t, f, "one")
}

// A ConfigMap is mounted as file → ..data/file with ..data → a directory of its own for each version.
func TestWatchSeesAConfigMapUpdate(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		writeFile(t, filepath.Join(dir, name, "file"), text)
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	}
	version("..1", "one")
	path := filepath.Join(dir, "file")
	require.NoError(t, os.Symlink(filepath.Join("..data", "file"), path))
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	require.Equal(t, "one", pollText(t, f))

	version("..2", "two")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "..1")))
	awaitText(t, f, "two")
	version("..3", "three")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "..2")))
	awaitText(t, f, "three")
}

func TestWatchSeesAWriteBehindASymbolicLink(t *testing.T) {
	target := tempFile(t, "one")
	path := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(target, path))
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	replace(t, target, "two")
	awaitText(t, f, "two")
}

func TestWatchSeesADirectoryThatAppearsAndIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub")
	path := filepath.Join(dir, "file")
	f := newFile(t, FileConfig{Path: path})
	watch(t, f)
	require.NoError(t, os.Mkdir(dir, 0o700))
	writeFile(t, path, "one")
	awaitText(t, f, "one")

	require.NoError(t, os.Rename(dir, dir+".old"))
	require.NoError(t, os.Mkdir(dir, 0o700))
	writeFile(t, path, "two")
	awaitText(t, f, "two")
	replace(t, path, "three")
	awaitText(t, f, "three")
}

func TestWatchKnowsWhatConcernsIt(t *testing.T) {
	path := tempFile(t, "one")
	dir := filepath.Dir(path)
	tests := map[string]struct {
		event fsnotify.Event
		want  int
	}{
		"a write":                     {fsnotify.Event{Name: path, Op: fsnotify.Write}, 1},
		"a write with a chmod":        {fsnotify.Event{Name: path, Op: fsnotify.Write | fsnotify.Chmod}, 1},
		"a removal":                   {fsnotify.Event{Name: path, Op: fsnotify.Remove}, 1},
		"a move of the directory":     {fsnotify.Event{Name: dir, Op: fsnotify.Rename}, 1},
		"a chmod alone":               {fsnotify.Event{Name: path, Op: fsnotify.Chmod}, 0},
		"a write to another file":     {fsnotify.Event{Name: path + ".other", Op: fsnotify.Write}, 0},
		"a new file of the same name": {fsnotify.Event{Name: filepath.Join(dir, "sub", "file"), Op: fsnotify.Create}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, FileConfig{Path: path})
			watcher, err := fsnotify.NewWatcher()
			require.NoError(t, err)
			defer func() { require.NoError(t, watcher.Close()) }()
			w := fileWatch{file: f, watcher: watcher, target: f.resolve()}
			w.handle(tt.event)
			require.Len(t, f.Changed(), tt.want)
		})
	}
}

func TestWatchReportsABurstOnce(t *testing.T) {
	f := newFile(t, FileConfig{Path: tempFile(t, "one")})
	for range 100 {
		f.notify()
	}
	require.Len(t, f.Changed(), 1)
}
