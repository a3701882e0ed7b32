package storetest

import (
	"context"
	"fmt"
	"runtime"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// HundredThousand imports 100,000 campaigns, changes them all, and starts a service on what is stored. It logs times and memory. An import
// that takes longer than limit fails; so does one that holds much more than the rows.
func HundredThousand(t *testing.T, s revision.Store, limit time.Duration) {
	t.Helper()
	const count = 100_000
	made := func(round int) revision.ChangeSet {
		c := revision.ChangeSet{Who: "ann", Kind: revision.Import, Edits: make([]revision.RowEdit, count)}
		for i := range c.Edits {
			id := fmt.Sprintf("campaign-%06d", i)
			c.Edits[i] = edit(id, fmt.Sprintf(`{"id":%q,"video_url":"https://cdn.example.com/%d/%d.mp4","country":"us","lang":"eng","start_hour":%d,`+
				`"end_hour":24,"priority":%d,"days":["mon","tue"],"time_zone":"America/New_York","name":"Campaign %d"}`, id, round, i*7919, i%24, i%100, i))
		}
		return c
	}
	a := service(t, s)
	step := func(name string, do func() error) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start, peak := time.Now(), watchHeap()
		require.NoError(t, do())
		took, most := time.Since(start), peak()
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%s: %s; heap %d MB before, %d MB at most, %d MB after", name, took.Round(time.Millisecond),
			before.HeapAlloc>>20, most>>20, after.HeapAlloc>>20)
		require.Less(t, took, limit, name)
		require.Less(t, most, before.HeapAlloc+400<<20, name)
	}
	for round, name := range []string{"import of 100,000", "change of 100,000"} {
		set := made(round)
		told := -1
		set.Progress = func(written, all int) {
			require.Greater(t, written, told)
			require.Equal(t, count, all)
			told = written
		}
		step(name, func() error {
			_, err := a.Apply(context.Background(), set)
			return err
		})
		require.Equal(t, count, told)
	}
	step("edit of one", func() error {
		_, err := a.Apply(context.Background(), edits(edit("campaign-000007", "{}")))
		return err
	})
	b := service(t, s)
	step("start without a snapshot", func() error { return b.Follow(context.Background()) })
	require.Equal(t, count, b.State().Rows.Len())
	step("snapshot", func() error {
		stop := running(t, b)
		defer stop()
		awaitSnapshot(t, s, 1)
		return nil
	})
	c := service(t, s)
	step("start with a snapshot", func() error { return c.Follow(context.Background()) })
	requireSame(t, a, c)
	step("revert of 100,000", func() error {
		if _, err := a.Revert(context.Background(), 3, "ann", "", nil); err != nil {
			return err
		}
		_, err := a.Revert(context.Background(), 2, "ann", "", nil)
		return err
	})
}

// watchHeap returns a function that ends the watching and returns the largest heap seen.
func watchHeap() func() uint64 {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var largest uint64
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest = max(largest, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-stop:
				most <- largest
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-most
	}
}
