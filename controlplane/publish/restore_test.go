package publish

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// seed runs a Loop over the answers with its state in dir.
func seed(t *testing.T, dir string, answers ...answer) *bench {
	t.Helper()
	b := newBench(t, Config{StateDir: dir}, answers...)
	b.source.position = "position 1"
	b.steps(t, len(answers))
	return b
}

func TestRestartServesTheLastGoodDocumentBeforeTheSourceAnswers(t *testing.T) {
	dir := t.TempDir()
	earlier := seed(t, dir, answer{text: doc("a", "b")}, answer{text: htmlDoc}, answer{err: errDown})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{StateDir: dir}, answer{err: errDown})
		b.start(t)
		synctest.Wait() // the first poll has not been answered

		require.True(t, b.Ready())
		require.Equal(t, []int{2}, b.sink.ads())
		require.Equal(t, earlier.sink.published[0].Version, b.sink.published[0].Version)
		s := b.Status()
		require.True(t, s.Source.ServedFromDisk)
		require.Equal(t, sourceTime, s.Source.DocumentTime)
		require.NotNil(t, s.Source.AgeSeconds)
		require.Empty(t, s.State.Ignored)
		require.EqualValues(t, 1, b.metric(t, "index_from_disk"))

		b.waits(3)
		synctest.Wait()
		require.Equal(t, 1, b.sink.offered)
		require.True(t, b.Status().Source.ServedFromDisk)
		require.Equal(t, "error", b.Status().Source.LastResult)
	})
}

func TestRestartKeepsTheTimeOfTheLastSuccess(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	b := newBench(t, Config{StateDir: dir, Now: c.now}, answer{text: doc("a")})
	b.step(t)
	read := c.at
	c.at = c.at.Add(time.Hour)
	b = newBench(t, Config{StateDir: dir, Now: c.now}, answer{err: errDown})
	b.restore()
	b.step(t)
	require.Equal(t, read, b.Status().Source.LastSuccess)
	require.InDelta(t, 3600, *b.Status().Source.AgeSeconds, 0)
	require.EqualValues(t, read.Unix(), b.metric(t, "source_last_success_timestamp_seconds"))

	c.at = read.Add(-time.Hour) // the clock was wrong before
	b = newBench(t, Config{StateDir: dir, Now: c.now}, answer{err: errDown})
	b.restore()
	require.InDelta(t, 0, *b.Status().Source.AgeSeconds, 0)
}

func TestRestartResumesTheSource(t *testing.T) {
	dir := t.TempDir()
	seed(t, dir, answer{text: doc("a")}, answer{text: htmlDoc})
	b := newBench(t, Config{StateDir: dir}, unchanged)
	b.restore()
	require.Equal(t, doc("a"), string(b.source.resumed.Data), "the good one, not the last one")
	require.Equal(t, sourceTime, b.source.resumed.SourceTime)
	require.Equal(t, "position 1", b.source.resumedPosition)

	b.step(t)
	s := b.Status()
	require.Equal(t, "not_modified", s.Source.LastResult)
	require.False(t, s.Source.ServedFromDisk, "the source has confirmed it")
	require.EqualValues(t, 0, b.metric(t, "index_from_disk"))
	require.Equal(t, 1, b.sink.offered, "nothing is published twice")
}

func TestRestartWithANewDocument(t *testing.T) {
	dir := t.TempDir()
	seed(t, dir, answer{text: doc("a")})
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a", "b")})
	b.restore()
	b.step(t)
	require.Equal(t, []int{1, 2}, b.sink.ads())
	require.False(t, b.Status().Source.ServedFromDisk)
}

func TestRestartIgnoresADocument(t *testing.T) {
	damage := func(t *testing.T, path string) {
		t.Helper()
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data[:len(data)-5], 0o600))
	}
	tests := map[string]struct {
		change     func(t *testing.T, path string)
		cfg        Config
		identity   string
		want       string
		stateError float64
	}{
		"that is truncated": {change: damage, want: "checksum does not match", stateError: 1},
		"that is no file": {change: func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, want: "not a regular file", stateError: 1},
		"of another source":        {identity: "another", want: "it is of another source: here"},
		"over a limit that is new": {cfg: Config{MaxIndexBytes: 10}, want: "index too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			seed(t, dir, answer{text: doc("a")})
			if tt.change != nil {
				tt.change(t, filepath.Join(dir, stateFile))
			}
			tt.cfg.StateDir = dir
			b := newBench(t, tt.cfg, answer{err: errDown})
			if tt.identity != "" {
				b.source.identity = tt.identity
			}
			b.restore()
			require.False(t, b.Ready())
			require.Zero(t, b.source.resumed, "nothing is resumed")
			require.Contains(t, b.Status().State.Ignored, tt.want)
			require.False(t, b.Status().Source.ServedFromDisk)
			require.Equal(t, tt.stateError, b.metric(t, "state_errors_total"))
			b.step(t)
			require.Equal(t, "error", b.Status().Source.LastResult)
		})
	}
}

func TestRestartWithTheFirstSourceAgain(t *testing.T) {
	dir := t.TempDir()
	seed(t, dir, answer{text: doc("a")})
	other := newBench(t, Config{StateDir: dir}, answer{err: errDown}, answer{text: htmlDoc})
	other.source.identity = "another"
	other.restore()
	other.steps(t, 2)

	b := newBench(t, Config{StateDir: dir}, answer{err: errDown})
	b.restore()
	require.Equal(t, []int{1}, b.sink.ads(), "a source that gave nothing good leaves it in place")
}

func TestRestartAfterASinkRefused(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("a", "b")})
	b.sink.refuse = quarantine(2)
	b.steps(t, 2)

	b = newBench(t, Config{StateDir: dir}, answer{err: errDown})
	b.restore()
	require.Equal(t, []int{1}, b.sink.ads(), "a quarantined document is not a good one")
}

func TestRestoredIndexThatTheSinkRefusesIsNotServed(t *testing.T) {
	dir := t.TempDir()
	seed(t, dir, answer{text: doc("a")})
	b := newBench(t, Config{StateDir: dir}, answer{err: errDown})
	b.sink.refuse = quarantine(1)
	b.restore()
	require.False(t, b.Ready())
	require.False(t, b.Status().Source.ServedFromDisk)
	require.EqualValues(t, 0, b.metric(t, "index_from_disk"))
	require.NotEmpty(t, b.Status().QuarantinedVersion)
}

func TestWithoutStateDirectoryNothingIsKept(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")})
	b.restore()
	b.step(t)
	require.Equal(t, StateStatus{}, b.Status().State)
}

func TestStateFilesArePrivateAndTheOnlyOnes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "the loop")
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("b")})
	b.stepAcknowledged(t)
	b.step(t)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "the last good document, the note on the acknowledgement and the one before")
	require.Equal(t, filepath.Join(dir, entries[0].Name()), b.Status().State.Path)
	require.NotZero(t, b.Status().State.SavedAt)
	if runtime.GOOS != "windows" {
		for _, entry := range entries {
			info, err := entry.Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
	}
}

func TestStateIsWrittenWhenTheDocumentChangesOnly(t *testing.T) {
	dir := t.TempDir()
	b := seed(t, dir, answer{text: doc("a")})
	path := b.Status().State.Path
	require.NoError(t, os.Remove(path))
	b.source.answers = []answer{unchanged}
	b.step(t)
	require.NoFileExists(t, path)
	// The same index of other bytes is another document: its position is newer.
	b.source.answers = []answer{{text: doc("a") + " "}}
	b.step(t)
	require.FileExists(t, path)
}

func TestNewRemovesWhatAKilledProcessLeft(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, stateFile+".123.tmp")
	require.NoError(t, os.WriteFile(left, nil, 0o600))
	newBench(t, Config{StateDir: dir}, unchanged)
	require.NoFileExists(t, left)
}

func TestNewRefusesADirectoryThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := New(Config{Source: newSource(unchanged), Sink: &fakeSink{}, StateDir: filepath.Join(file, "dir")})
	require.ErrorContains(t, err, "state directory: mkdir "+file)
}

func TestStateThatCannotBeWrittenLaterIsToldAndTriedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	b := newBench(t, Config{StateDir: dir}, answer{text: doc("a")}, unchanged)
	require.NoError(t, os.Remove(dir))
	b.steps(t, 2)
	require.Equal(t, []int{1}, b.sink.ads(), "served all the same")
	require.Contains(t, b.Status().State.Error, "no such file")
	require.EqualValues(t, 2, b.metric(t, "state_errors_total"))

	require.NoError(t, os.Mkdir(dir, 0o700))
	b.step(t)
	require.Empty(t, b.Status().State.Error)
	data, err := os.ReadFile(b.Status().State.Path)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(data), "\n"+doc("a")))
}

func TestSourceThatCannotResumeIsKnownByItsDescription(t *testing.T) {
	// Source only: the embedded interface hides the methods of Resumer.
	plain := struct{ Source }{newSource(unchanged)}
	require.Equal(t, "fake here", identify(plain))
}

func TestLastGood(t *testing.T) {
	dir, source := t.TempDir(), newSource(unchanged)
	_, err := LastGood("", source)
	require.EqualError(t, err, "no state directory")
	_, err = LastGood(filepath.Join(dir, "missing"), source)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, filepath.Join(dir, "missing"))

	b := seed(t, dir, answer{text: doc("a")})
	snapshot, err := LastGood(dir, source)
	require.NoError(t, err)
	require.Equal(t, doc("a"), string(snapshot.Data))
	require.Equal(t, sourceTime, snapshot.SourceTime)

	source.identity = "another"
	_, err = LastGood(dir, source)
	require.ErrorContains(t, err, "is of another source: here")
	require.NoError(t, os.Truncate(b.Status().State.Path, 50))
	_, err = LastGood(dir, b.source)
	require.ErrorContains(t, err, "not a last good document")
}

// What is from the disk then is so by the word of operators or of the guard, which is told elsewhere.
func TestASourceThatAnswersIsNotStale(t *testing.T) {
	fresh := func(t *testing.T, b *bench) {
		t.Helper()
		require.False(t, b.Status().Source.ServedFromDisk)
		require.Zero(t, b.metric(t, "index_from_disk"))
	}
	stale := func(t *testing.T, b *bench) {
		t.Helper()
		require.True(t, b.Status().Source.ServedFromDisk)
		require.EqualValues(t, 1, b.metric(t, "index_from_disk"))
	}
	t.Run("while its document is held", func(t *testing.T) {
		cfg := Config{StateDir: t.TempDir(), MaxRemovedShare: &half}
		b := restarted(t, cfg, answer{text: doc("a", "b", "c", "d")})
		b.step(t)
		b.keepNow(t)
		b = restarted(t, cfg, answer{err: errDown}, answer{text: htmlDoc}, answer{text: doc("a")}, unchanged, answer{err: errDown})
		stale(t, b)
		b.steps(t, 2)
		stale(t, b)
		b.step(t)
		requireHeld(t, b, reasonMaxRemovedShare, version(t, "a"), "a", "b", "c", "d")
		fresh(t, b)
		b.steps(t, 2)
		fresh(t, b)
	})
	t.Run("under a pin after a store that was slow", func(t *testing.T) {
		o, cfg := newOperators(t), Config{StateDir: t.TempDir()}
		cfg.Operators = o
		b := restarted(t, cfg, answer{text: doc("a")}, answer{text: doc("a", "b")})
		b.step(t)
		b.keepNow(t)
		o.pin(t, version(t, "a"))
		b.settle()
		b.step(t)

		slow := o.reopened(t)
		slow.hidden = true
		cfg.Operators = slow
		b = restarted(t, cfg, answer{text: doc("a", "b")}, unchanged)
		b.overdue = true
		b.step(t)
		require.Equal(t, version(t, "a"), b.sink.Published())
		stale(t, b) // what the source says waits for the store
		slow.reveal()
		b.settle()
		require.Equal(t, version(t, "a", "b"), b.Status().Pin.Waiting)
		fresh(t, b)
		b.step(t)
		fresh(t, b)
	})
}
