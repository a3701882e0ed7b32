package publish

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

var half = 0.5

// guardBench has a Loop whose guard is at a half, with four ads published.
func guardBench(t *testing.T, o *fakeOperators, answers ...answer) *bench {
	t.Helper()
	cfg := Config{MaxRemovedShare: &half}
	if o != nil {
		cfg.Operators = o
	}
	b := newBench(t, cfg, append([]answer{{text: doc("a", "b", "c", "d")}}, answers...)...)
	b.heed()
	b.step(t)
	require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	return b
}

func TestTheGuardHoldsWhatRemovesTooMuch(t *testing.T) {
	b := guardBench(t, nil, answer{text: doc("a", "x", "y", "z")}, unchanged)
	b.steps(t, 2)
	require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	s := b.Status()
	require.NotNil(t, s.Held)
	require.WithinDuration(t, time.Now(), s.Held.Since, time.Minute)
	s.Held.Since = time.Time{}
	require.Equal(t, Held{
		Version: version(t, "a", "x", "y", "z"), Base: version(t, "a", "b", "c", "d"), Reason: "max_removed_share",
		Message: "It removes 3 of 4 ads (75.0 %); more than 50.0 % need to be confirmed.",
		Removed: 3, Served: 4, Share: 0.75, Limit: 0.5,
	}, *s.Held)
	require.True(t, b.Ready())
	require.EqualValues(t, 1, b.metric(t, `index_held{reason="max_removed_share"}`))
	require.EqualValues(t, 1, b.metric(t, `index_holds_total{reason="max_removed_share"}`), "once, however often the source is polled")
	require.Equal(t, "not_modified", s.Source.LastResult, "the source is well")
}

func TestTheGuardLetsPass(t *testing.T) {
	zero, one := 0.0, 1.0
	for name, c := range map[string]struct {
		limit       *float64
		first, next string
		held        bool
	}{
		"as much as the limit":         {&half, doc("a", "b"), doc("a"), false},
		"more is held":                 {&half, doc("a", "b", "c"), doc("a"), true},
		"all, where there is no limit": {nil, doc("a"), emptyDoc, false},
		"all, where all may go":        {&one, doc("a"), emptyDoc, false},
		"nothing, where none may go":   {&zero, doc("a", "b"), doc("a"), true},
		"what is new":                  {&zero, doc("a"), doc("a", "b"), false},
		"anything after nothing":       {&zero, emptyDoc, doc("a"), false},
		"what was paused":              {&zero, pausedDoc("a", "b"), doc("a", "c"), false},
		"no pause of it all":           {&half, doc("a"), pausedDoc("b", "a"), true},
		"what is over":                 {&zero, overDoc("a", "b"), doc("a", "c"), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{MaxRemovedShare: c.limit}, answer{text: c.first}, answer{text: c.next})
			b.steps(t, 2)
			require.Equal(t, c.held, b.Status().Held != nil)
			if c.held {
				require.Len(t, b.sink.published, 1)
			} else {
				require.Equal(t, b.candidate.Version, b.sink.Published())
			}
		})
	}
}

// pausedDoc has an ad and another one that is paused; overDoc one whose flight is over.
func pausedDoc(id, paused string) string { return docAnd(id, paused, `"enabled":false`) }

func overDoc(id, over string) string { return docAnd(id, over, `"end_at":"2020-01-01T00:00:00Z"`) }

func docAnd(id, other, field string) string {
	first := doc(id)
	return first[:len(first)-2] + fmt.Sprintf(
		`,{"id":%q,"video_url":"https://v/o","country":"us","lang":"eng","start_hour":0,"end_hour":24,%s}]}`, other, field)
}

func TestAHeldVersionIsConfirmed(t *testing.T) {
	b := guardBench(t, nil, answer{text: doc("x")}, unchanged, answer{text: doc("x", "y")})
	b.step(t)
	held := version(t, "x")
	require.ErrorIs(t, b.Confirm(t.Context(), version(t, "a", "b", "c", "d"), "olga", "why"), ErrNotHeld)
	require.ErrorIs(t, b.Confirm(t.Context(), "", "olga", "why"), ErrNotHeld)
	require.NoError(t, b.Confirm(t.Context(), held, "olga", "why"))
	b.settle()
	require.Equal(t, held, b.sink.Published())
	require.Nil(t, b.Status().Held)
	require.Zero(t, b.metric(t, `index_held{reason="max_removed_share"}`))
	require.ErrorIs(t, b.Confirm(t.Context(), held, "olga", "why"), ErrNotHeld)
	b.steps(t, 2)
	require.Equal(t, version(t, "x", "y"), b.sink.Published(), "the next is compared with what was confirmed")
}

func TestAConfirmationIsForOneTime(t *testing.T) {
	b := guardBench(t, nil, answer{text: doc("x")}, answer{text: doc("x", "y", "z")}, answer{text: doc("x")})
	b.step(t)
	require.NoError(t, b.Confirm(t.Context(), version(t, "x"), "olga", "why"))
	b.settle()
	b.step(t)
	require.Equal(t, version(t, "x", "y", "z"), b.sink.Published())
	b.step(t)
	require.NotNil(t, b.Status().Held)
	require.Equal(t, version(t, "x", "y", "z"), b.sink.Published())
}

func TestAConfirmedVersionIsPublishedAtOnce(t *testing.T) {
	b := newBench(t, Config{MaxRemovedShare: &half, Interval: time.Hour}, answer{text: doc("a", "b")}, answer{text: doc("x")})
	b.start(t)
	<-b.source.asked
	b.awaitServed(t, "a", "b")
	b.pollOnce()
	b.await(t, "held", func() bool { return b.Status().Held != nil })
	require.NoError(t, b.Confirm(t.Context(), version(t, "x"), "olga", "why"))
	b.awaitServed(t, "x")
}

func TestARefusedVersionStaysBackUntilThereIsANewer(t *testing.T) {
	b := guardBench(t, nil, answer{text: doc("x")}, unchanged, answer{text: doc("y")}, answer{text: doc("a", "b", "c")})
	b.step(t)
	require.ErrorIs(t, b.Refuse(t.Context(), "other", "olga", "why"), ErrNotHeld)
	before := b.Status().Held
	require.NoError(t, b.Refuse(t.Context(), version(t, "x"), "olga", "why"))
	require.False(t, before.Refused, "what was returned stays as it is")
	b.step(t)
	require.True(t, b.Status().Held.Refused)
	require.Equal(t, version(t, "a", "b", "c", "d"), b.sink.Published())
	b.step(t)
	held := b.Status().Held
	require.Equal(t, version(t, "y"), held.Version)
	require.False(t, held.Refused)
	require.ErrorIs(t, b.Confirm(t.Context(), version(t, "x"), "olga", "why"), ErrNotHeld)
	b.step(t)
	require.Nil(t, b.Status().Held, "one that the guard lets pass takes its place")
	require.Equal(t, version(t, "a", "b", "c"), b.sink.Published())
}

func TestTheGuardHoldsOperatorsChanges(t *testing.T) {
	o := newOperators(t)
	b := guardBench(t, o)
	for _, id := range []string{"a", "b", "c"} {
		o.edit(t, id, &pause)
	}
	b.settle()
	require.NotNil(t, b.Status().Held)
	require.Equal(t, 3, b.Status().Held.Removed)
	o.edit(t, "a", nil)
	b.settle()
	require.Nil(t, b.Status().Held)
	require.Equal(t, version(t, "a", "d"), b.sink.Published())
}

func TestTheGuardNeverHoldsARollback(t *testing.T) {
	o := newOperators(t)
	cfg := Config{MaxRemovedShare: &half}
	b := served(t, o, cfg, answer{text: doc("a")}, answer{text: doc("a", "b", "c", "d")}, answer{text: doc("x")})
	b.pollOnce()
	b.awaitServed(t, "a", "b", "c", "d")
	b.pollOnce()
	b.await(t, "held", func() bool { return b.Status().Held != nil })
	o.pin(t, version(t, "a"))
	b.awaitServed(t, "a")
	b.await(t, "told", func() bool { s := b.Status(); return s.Held == nil && s.Pin.Waiting == version(t, "x") })
	o.pin(t, "")
	b.await(t, "held again: nobody has confirmed it", func() bool { return b.Status().Held != nil })
	require.Equal(t, version(t, "a"), b.sink.Published())
	require.NoError(t, b.Confirm(t.Context(), version(t, "x"), "olga", "why"))
	b.awaitServed(t, "x")
}

func TestTheFirstDocumentAfterAStartIsComparedWithTheOneOnDisk(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Config{MaxRemovedShare: &half, StateDir: dir}, answer{text: doc("a", "b", "c")})
	b.step(t)

	o := newOperators(t)
	for name, operators := range map[string]*fakeOperators{
		"without operators": nil, "with operators": o,
		"with operators that are loaded after the poll": {Service: o.Service, hidden: true, revealed: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{MaxRemovedShare: &half, StateDir: dir}
			if operators != nil {
				cfg.Operators = operators
			}
			b := newBench(t, cfg, answer{text: doc("x")})
			b.heed()
			b.restore()
			b.step(t)
			if operators != nil && operators.hidden {
				require.Empty(t, b.sink.Published())
				operators.reveal()
				b.settle()
			}
			require.Equal(t, version(t, "a", "b", "c"), b.sink.Published())
			require.Equal(t, version(t, "x"), b.Status().Held.Version)
		})
	}
	t.Run("after a pin that held at the start", func(t *testing.T) {
		o := newOperators(t)
		pinned := decodedIndex(t, doc("p"))
		require.NoError(t, o.KeepVersion(t.Context(), revision.Version{Hash: pinned.Version, Report: reportOf(pinned)}, pinned.Bytes))
		o.pin(t, pinned.Version)
		b := newBench(t, Config{MaxRemovedShare: &half, StateDir: dir, Operators: o}, answer{text: doc("x")})
		b.heed()
		b.restore()
		b.step(t)
		o.pin(t, "")
		b.settle()
		require.Equal(t, version(t, "x"), b.Status().Held.Version)
	})
	t.Run("with none on disk nothing is held", func(t *testing.T) {
		b := newBench(t, Config{MaxRemovedShare: &half, StateDir: t.TempDir()}, answer{text: doc("x")})
		b.restore()
		b.step(t)
		require.Equal(t, version(t, "x"), b.sink.Published())
	})
}

func TestARefusalOutlastsMidnight(t *testing.T) {
	b, now := dayBench(t, Config{MaxRemovedShare: &half}, answer{text: doc("a", "b", "c")}, answer{text: flight}, unchanged)
	b.steps(t, 2)
	first := b.Status().Held
	require.NoError(t, b.Refuse(t.Context(), first.Version, "olga", "why"))
	*now = now.Add(8 * 24 * time.Hour) // the flight comes into sight
	b.step(t)
	held := b.Status().Held
	require.NotEqual(t, first.Version, held.Version)
	require.True(t, held.Refused, "it is the same document")
	require.Equal(t, first.Since, held.Since)
}

func TestMaxRemovedShareIsChecked(t *testing.T) {
	for _, share := range []float64{-0.1, 1.1} {
		_, err := New(Config{Source: newSource(), Sink: &fakeSink{}, MaxRemovedShare: &share})
		require.EqualError(t, err, "max removed share: not between 0 and 1")
	}
}
