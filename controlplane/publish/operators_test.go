package publish

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
)

var pause = ""

func path(s string) *string { return &s }

// hourly is a Loop that polls once in an hour, so that nothing happens by polling.
func hourly(t *testing.T, operators *fakeOperators, cfg Config, answers ...answer) *bench {
	t.Helper()
	cfg.Interval, cfg.Operators = time.Hour, operators
	return newBench(t, cfg, answers...)
}

func TestAnEditIsServedWithoutAPoll(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a", "b")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a", "b")
	o.edit(t, "c", path("c"))
	b.awaitServed(t, "a", "b", "c")
	o.edit(t, "a", &pause)
	b.awaitServed(t, "b", "c")
	number := o.edit(t, "a", nil)
	b.awaitServed(t, "a", "b", "c")
	v := b.View()
	require.Equal(t, number, v.Revision)
	require.Equal(t, b.sink.Published(), v.Index.Version)
	require.Len(t, v.Source.Campaigns, 2)
	now := *b.Status().Operators
	require.Equal(t, OperatorsStatus{Loaded: true, Revision: number, Compiled: number, Campaigns: 1, ReadAt: now.ReadAt}, now)
	require.EqualValues(t, number, b.metric(t, "operators_revision"))
	select {
	case <-b.source.asked:
		require.Fail(t, "the source was asked")
	default:
	}
}

func TestAnEditDoesNotWaitForASourceThatHangs(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a")
	b.PollNow() // nobody takes the poll
	o.edit(t, "b", path("b"))
	b.awaitServed(t, "a", "b")
}

func TestEditsInABurstAreCompiledOnce(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a")
	for _, id := range []string{"b", "c", "d"} {
		o.edit(t, id, path(id))
	}
	b.awaitServed(t, "a", "b", "c", "d")
	require.LessOrEqual(t, len(b.sink.published), 3)
}

func TestANewDocumentIsUnderTheOperatorsRows(t *testing.T) {
	o := newOperators(t)
	o.edit(t, "a", &pause)
	b := hourly(t, o, Config{}, answer{text: doc("b")}, answer{text: doc("a", "b", "c")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "b")
	b.pollOnce()
	b.awaitServed(t, "b", "c")
	b.await(t, "told", func() bool { return b.Status().Operators.Paused == 1 })
}

func TestNothingIsPublishedBeforeOperatorsAreLoaded(t *testing.T) {
	for name, answers := range map[string][]answer{
		"the source answers first":  {{text: doc("a", "b", "c")}},
		"the source is not there":   {{err: errDown}},
		"the source says no change": {unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := newOperators(t)
			b := hourly(t, o, Config{StateDir: dir}, answer{text: doc("a", "b")})
			b.heed()
			b.step(t)
			require.Equal(t, version(t, "a", "b"), b.sink.Published())
			o.edit(t, "a", &pause)

			again := &fakeOperators{Service: o.Service, hidden: true, revealed: make(chan struct{})}
			b = hourly(t, again, Config{StateDir: dir}, answers...)
			b.start(t)
			<-b.source.asked
			b.await(t, "the poll is over", func() bool { return b.Status().Source.LastResult != "" })
			require.Empty(t, b.sink.Published())
			require.Nil(t, b.View())
			s := b.Status().Operators
			require.False(t, s.Loaded)
			require.Equal(t, errNotLoaded.Error(), s.Error)
			again.reveal()
			if answers[0].text != "" {
				b.awaitServed(t, "b", "c")
			} else {
				b.awaitServed(t, "b")
			}
			b.await(t, "no error", func() bool { return b.Status().Operators.Error == "" })
			for _, index := range b.sink.published {
				require.NotEqual(t, version(t, "a", "b"), index.Version, "what is paused must not come back by a restart")
			}
		})
	}
}

func TestTheIndexOnDiskIsPublishedWhileTheStoreIsDown(t *testing.T) {
	dir := t.TempDir()
	o := newOperators(t)
	o.edit(t, "a", &pause)
	b := hourly(t, o, Config{StateDir: dir}, answer{text: doc("a", "b")})
	b.heed()
	b.step(t)
	require.NoError(t, b.keepOne(t.Context(), <-b.toKeep))
	served := b.sink.Published()
	require.Equal(t, version(t, "b"), served)

	down := func() *fakeOperators {
		return &fakeOperators{Service: o.Service, hidden: true, revealed: make(chan struct{})}
	}
	t.Run("after a grace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			operators := down()
			operators.keep = func(context.Context) error { return errStoreDown } // the real one is not of the bubble
			b := hourly(t, operators, Config{StateDir: dir}, answer{text: doc("a", "b", "c")})
			b.start(t)
			<-b.source.asked
			<-time.After(loadGrace - time.Millisecond)
			synctest.Wait()
			require.Empty(t, b.sink.Published())
			<-time.After(time.Millisecond)
			synctest.Wait()
			require.Equal(t, served, b.sink.Published())
			require.True(t, b.Status().Source.ServedFromDisk)
			require.True(t, b.Ready())
		})
	})
	t.Run("not over what is published", func(t *testing.T) {
		b := hourly(t, down(), Config{StateDir: dir}, answer{text: doc("a")})
		b.sink.setPublished("other")
		b.overdue = true
		b.settle()
		require.Equal(t, "other", b.sink.Published())
	})
	t.Run("not that of another source", func(t *testing.T) {
		b := hourly(t, down(), Config{StateDir: dir}, answer{text: doc("a")})
		b.source.identity = "another"
		b.overdue = true
		b.settle()
		require.Empty(t, b.sink.Published())
	})
	t.Run("for programs without a Loop", func(t *testing.T) {
		index, v, err := LastIndex(dir, newSource())
		require.NoError(t, err)
		require.Equal(t, served, v.Hash)
		require.NotEmpty(t, index)
		report, err := ReportOf(v)
		require.NoError(t, err)
		require.Equal(t, 1, report.Ads)
	})
	t.Run("not after proxies refused it", func(t *testing.T) {
		b := hourly(t, o, Config{StateDir: dir}, answer{text: doc("a", "b")})
		b.sink.refuse = func(*compile.Result) error { return ErrQuarantined }
		b.heed()
		b.step(t)
		_, _, err := LastIndex(dir, newSource())
		require.Error(t, err)
	})
}

func TestWhatCannotBeCompiledUnderTheRows(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	b.heed()
	b.step(t)
	b.maxBytes = len(b.sink.bytes())

	number := o.edit(t, "c", path("c"))
	b.settle()
	require.Equal(t, version(t, "a"), b.sink.Published(), "the last good one stays")
	s := b.Status()
	require.Contains(t, s.Operators.Error, "too large")
	require.Equal(t, number, s.Operators.Revision)
	require.Zero(t, s.Operators.Compiled)

	b.step(t) // another document that is too large, with the rows
	require.Equal(t, string(outcomeTooLarge), b.Status().Source.LastResult)
	b.maxBytes *= 2
	o.edit(t, "c", nil)
	b.settle()
	require.Equal(t, version(t, "a", "b"), b.sink.Published(), "the document that waited is served as soon as the rows allow it")
	require.Empty(t, b.Status().Operators.Error)
	b.step(t)
	require.Equal(t, string(outcomeNotModified), b.Status().Source.LastResult)
}

func TestADocumentThatWaitedDoesNotSpeakForABrokenOneAfterIt(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a", "b")}, answer{text: htmlDoc}, unchanged)
	b.heed()
	b.maxBytes = 1
	b.steps(t, 2)
	b.maxBytes = compile.DefaultMaxBytes
	o.edit(t, "c", path("c"))
	b.settle()
	require.Equal(t, version(t, "a", "b", "c"), b.sink.Published(), "the last usable one")
	b.step(t)
	require.Equal(t, string(outcomeUnusable), b.Status().Source.LastResult)
}

func TestAPauseCountsThoughANewerDocumentCannotBeUsed(t *testing.T) {
	o := newOperators(t)
	b := hourly(t, o, Config{}, answer{text: doc("a", "b")}, answer{text: htmlDoc}, unchanged)
	b.heed()
	b.steps(t, 2)
	o.edit(t, "a", &pause)
	b.settle()
	require.Equal(t, version(t, "b"), b.sink.Published())
	b.step(t)
	require.Equal(t, string(outcomeUnusable), b.Status().Source.LastResult, "no change of an unusable document")
}

func TestThePublishedVersionIsKept(t *testing.T) {
	o := newOperators(t)
	number := o.edit(t, "c", path("c"))
	b := hourly(t, o, Config{StateDir: t.TempDir()}, answer{text: doc("a")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a", "c")
	b.await(t, "kept", func() bool { return len(o.keptVersions()) == 1 })
	kept, err := o.Versions(t.Context())
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Equal(t, b.sink.Published(), kept[0].Hash)
	require.Equal(t, b.View().DocumentSHA256, kept[0].Source)
	require.Len(t, kept[0].Source, 64)
	require.Equal(t, number, kept[0].Revision)
	report, err := ReportOf(kept[0])
	require.NoError(t, err)
	require.Equal(t, Report{SourceTime: sourceTime, Ads: 2, Keys: 2}, report)
}

func TestKeepingBlocksNoPublishAndTheNewestWins(t *testing.T) {
	o := newOperators(t)
	entered, release := make(chan struct{}, 10), make(chan error)
	o.keep = func(ctx context.Context) error {
		entered <- struct{}{}
		select {
		case err := <-release:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b := hourly(t, o, Config{}, answer{text: doc("a")})
	b.start(t)
	<-b.source.asked
	<-entered // the first is being kept, and that hangs
	for _, id := range []string{"b", "c"} {
		o.edit(t, id, path(id))
		b.await(t, id, func() bool { e := b.View(); _, ok := e.Get(id); return ok && b.sink.Published() == e.Index.Version })
	}
	newest := b.sink.Published()
	release <- errStoreDown
	<-entered // without waiting: there is a newer one
	require.EqualValues(t, 1, b.metric(t, "version_keep_errors_total"))
	release <- nil
	b.await(t, "kept", func() bool { return len(o.keptVersions()) > 0 && b.Status().Operators.KeepError == "" })
	require.Equal(t, []string{newest}, o.keptVersions())
}

func TestKeepingIsTriedAgain(t *testing.T) {
	o := newOperators(t)
	tries := 0
	o.keep = func(context.Context) error {
		if tries++; tries == 1 {
			return errStoreDown
		}
		return nil
	}
	b := hourly(t, o, Config{}, answer{text: doc("a")})
	b.start(t)
	<-b.source.asked
	b.await(t, "told", func() bool { return b.Status().Operators.KeepError == errStoreDown.Error() })
	b.await(t, "kept", func() bool { return b.Status().Operators.KeepError == "" })
	require.Equal(t, []string{version(t, "a")}, o.keptVersions())
}

func TestAVersionThatWasNotKeptBeforeADeathIsKeptAfterwards(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "operators.db")
	o := openOperators(t, file)
	b := hourly(t, o, Config{StateDir: dir}, answer{text: doc("a")})
	b.heed()
	b.step(t) // published and on disk; nothing runs that would keep it
	require.Equal(t, version(t, "a"), b.sink.Published())
	require.NoError(t, o.store.Close())

	o = openOperators(t, file)
	b = hourly(t, o, Config{StateDir: dir}, answer{err: errDown})
	b.start(t)
	<-b.source.asked
	b.await(t, "kept", func() bool { return len(o.keptVersions()) == 1 })
	require.Equal(t, []string{version(t, "a")}, o.keptVersions())
	b.await(t, "said to be from the disk: the source has not confirmed it", func() bool { return b.Status().Source.ServedFromDisk })
}

func TestProxiesThatRefuseAnEditTakeNoDocumentOffTheDisk(t *testing.T) {
	dir := t.TempDir()
	o := newOperators(t)
	b := hourly(t, o, Config{StateDir: dir}, answer{text: doc("a")}, answer{text: doc("a", "b")}, unchanged)
	b.heed()
	b.stepAcknowledged(t)
	b.stepAcknowledged(t)
	b.sink.refuse = func(*compile.Result) error { return ErrQuarantined }
	o.edit(t, "c", path("c"))
	b.settle()
	b.step(t)
	require.Equal(t, version(t, "a", "b", "c"), b.Status().QuarantinedVersion)
	last, err := LastGood(dir, b.source)
	require.NoError(t, err)
	require.Equal(t, doc("a", "b"), string(last.Data), "it is not its fault")
}

func TestWithoutOperatorsNothingOfThemIsTold(t *testing.T) {
	b := newBench(t, Config{}, answer{text: doc("a")})
	b.step(t)
	require.Nil(t, b.View())
	s := b.Status()
	require.Nil(t, s.Operators)
	require.Nil(t, s.Pin)
	require.ErrorIs(t, b.Confirm(t.Context(), "x", "olga", ""), ErrNotHeld)
}
