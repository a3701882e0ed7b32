package storetest

import (
	"context"
	"strings"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// atFirstChunk calls a function before the first chunk of each batch is written. Others of the batch may be written meanwhile.
func atFirstChunk(s revision.Store, fn func(batch int)) *spy {
	batches := 0
	return &spy{Store: s, before: func(all []revision.Put) {
		if strings.HasPrefix(all[0].Key, "chunk/") && strings.HasSuffix(all[0].Key, "/0") {
			batches++
			fn(batches)
		}
	}}
}

// inWide is the ID of a row of wide, and besideWide is none.
const (
	inWide     = "007"
	besideWide = "small"
)

var yielding = suite{
	"few changes are made while many are written, which are not written again": func(t *testing.T, s revision.Store) {
		var a *revision.Service
		batches := 0
		seen := atFirstChunk(s, func(batch int) {
			batches = batch
			apply(t, a, edit(besideWide, "1"))
			apply(t, a, edit(besideWide, "2"))
		})
		a = service(t, seen)
		r, err := a.Apply(ctx(t), wide(0))
		require.NoError(t, err)
		require.EqualValues(t, 3, r.Number)
		require.Equal(t, wideRows, r.Count)
		require.Equal(t, wideRows+1, a.State().Rows.Len())
		chunks, _ := seen.seen()
		require.Equal(t, len(chunks), present(t, s, chunks))
		require.Equal(t, 1, batches)
		b := service(t, s)
		require.NoError(t, b.Follow(ctx(t)))
		requireSame(t, a, b)
	},
	"what was changed meanwhile is what is replaced": func(t *testing.T, s revision.Store) {
		var a *revision.Service
		seen := atFirstChunk(s, func(batch int) {
			if batch == 1 {
				apply(t, a, edit(inWide, "meanwhile"))
			}
		})
		a = service(t, seen)
		set, progress := wide(0), []int{}
		set.Progress = func(written, _ int) { progress = append(progress, written) }
		_, err := a.Apply(ctx(t), set)
		require.NoError(t, err)
		requireRound(t, service(t, s), 0)
		changes, err := a.Changes(ctx(t), 2, 7, 1)
		require.NoError(t, err)
		require.Equal(t, row("meanwhile"), changes[0].Before)
		chunks, _ := seen.seen()
		require.Equal(t, len(chunks)/2, present(t, s, chunks))
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value), "nothing is left")
		require.Len(t, progress, len(chunks)+2)
		require.Equal(t, []int{wideRows, 0}, progress[len(chunks)/2:][:2], "it began again")
	},
	"what was changed meanwhile is a conflict for who saw something else": func(t *testing.T, s revision.Store) {
		var a *revision.Service
		seen := atFirstChunk(s, func(int) { apply(t, a, edit(inWide, "meanwhile")) })
		a = service(t, seen)
		set := wide(0)
		for i, e := range set.Edits {
			set.Edits[i] = matching(e, 0)
		}
		_, err := a.Apply(ctx(t), set)
		var conflict *revision.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, 1, conflict.All)
		require.Equal(t, inWide, conflict.Conflicts[0].ID)
		requireRows(t, a, map[string]string{inWide: "1 meanwhile"})
		chunks, _ := seen.seen()
		require.Zero(t, present(t, s, chunks))
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value), "nothing is left")
	},
	"who changes the same rows all the time waits in the end": func(t *testing.T, s revision.Store) {
		var a *revision.Service
		batches, waited := 0, false
		seen := atFirstChunk(s, func(batch int) {
			batches = batch
			if batch <= 2 {
				apply(t, a, edit(inWide, strings.Repeat("x", batch)))
				return
			}
			c, cancel := context.WithTimeout(ctx(t), 100*time.Millisecond)
			defer cancel()
			_, err := a.Apply(c, edits(edit(inWide, "too late")))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			waited = true
		})
		a = service(t, seen)
		r, err := a.Apply(ctx(t), wide(0))
		require.NoError(t, err)
		require.EqualValues(t, 3, r.Number)
		require.True(t, waited)
		require.Equal(t, 3, batches)
		requireRound(t, service(t, s), 0)
	},
	"what a service knows may be old": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		first := apply(t, a, edit(inWide, "1"))
		require.NoError(t, b.Follow(ctx(t)))
		second := apply(t, a, edit(inWide, "2"))
		set := wide(0)
		set.Edits[7] = matching(set.Edits[7], first)
		_, err := b.Apply(ctx(t), set)
		var conflict *revision.ConflictError
		require.ErrorAs(t, err, &conflict, "it was right for what is known")
		third := apply(t, a, edit(inWide, "3"))
		set.Edits[7] = matching(set.Edits[7], third)
		require.NotEqual(t, second, third)
		_, err = b.Apply(ctx(t), set)
		require.NoError(t, err, "it was wrong for what is known")
		requireRound(t, service(t, s), 0)
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value))
	},
}
