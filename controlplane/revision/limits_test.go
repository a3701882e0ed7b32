package revision

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nowhere is a store with these values, for ever.
type nowhere map[string][]byte

func (n nowhere) Read(_ context.Context, keys ...string) ([]Entry, error) {
	entries := make([]Entry, len(keys))
	for i, key := range keys {
		if value, ok := n[key]; ok {
			entries[i] = Entry{Value: value, Version: 1}
		}
	}
	return entries, CheckKeys(keys)
}

func (nowhere) Commit(context.Context, ...Put) error { return ErrConflict }

func (nowhere) Remove(context.Context, ...string) error { return nil }

func TestWhatWouldBeTooMuchIsRefused(t *testing.T) {
	add := []Change{{ID: "x", After: &Row{Campaign: make([]byte, 100)}}}
	replace := []Change{{ID: "x", Before: &Row{Campaign: make([]byte, 100)}, After: &Row{Campaign: make([]byte, 100)}}}
	for name, tt := range map[string]struct {
		rows    Rows
		changes []Change
		want    string
	}{
		"the last row":                     {rows: Rows{count: MaxRows - 1}, changes: add},
		"one row more":                     {rows: Rows{count: MaxRows}, changes: add, want: "edits would make 1000001 campaigns"},
		"a row in place of another":        {rows: Rows{count: MaxRows, bytes: MaxRowBytes}, changes: replace},
		"the last byte":                    {rows: Rows{bytes: MaxRowBytes - 101}, changes: add},
		"one byte more":                    {rows: Rows{bytes: MaxRowBytes - 100}, changes: add, want: "edits would make 1073741825 bytes"},
		"more changes than a revision has": {changes: tooLong(), want: "edits have "},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkSizes(tt.rows, tt.changes)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "edits", invalid.Field)
		})
	}
}

// tooLong are long changes with the same rows.
func tooLong() []Change {
	long := &Row{Campaign: make([]byte, MaxCampaignBytes)}
	changes := make([]Change, MaxChangeBytes/MaxCampaignBytes/2)
	for i := range changes {
		changes[i] = Change{ID: "x", Before: long, After: long}
	}
	return changes
}

func TestOthersWhoKeepWritingDoNotHoldItForEver(t *testing.T) {
	s, err := New(Config{Store: nowhere{}})
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), ChangeSet{Who: "ann", Kind: Edit, Edits: []RowEdit{{ID: "x", After: &Row{}}}})
	require.ErrorIs(t, err, ErrContended)
	require.Zero(t, s.State().Rows.Len())
}

func TestASnapshotIsDueByWhatAStartWouldRead(t *testing.T) {
	for name, tt := range map[string]struct {
		since sinceSnapshot
		rows  Rows
		want  bool
	}{
		"nothing yet":                       {},
		"few changes":                       {rows: Rows{number: 499}, since: sinceSnapshot{changes: snapshotChanges - 1}},
		"many changes":                      {rows: Rows{number: 1}, since: sinceSnapshot{changes: snapshotChanges}, want: true},
		"many changes, but of more rows":    {rows: Rows{number: 1, count: 20_000}, since: sinceSnapshot{changes: 19_999}},
		"as many changes as rows":           {rows: Rows{number: 1, count: 20_000}, since: sinceSnapshot{changes: 20_000}, want: true},
		"many revisions":                    {rows: Rows{number: 700}, since: sinceSnapshot{number: 200}, want: true},
		"many revisions, before a snapshot": {rows: Rows{number: 700}, since: sinceSnapshot{number: 201}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, tt.since.due(tt.rows)) })
	}
}

func TestAServiceNeedsAStore(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "needs a store")
	s, err := New(Config{Store: nowhere{}})
	require.NoError(t, err)
	require.Equal(t, defaultInterval, s.interval)
	first, second := s.journal.newBatch(), s.journal.newBatch()
	require.NotEqual(t, first, second)
	require.WithinDuration(t, time.Now(), s.journal.now(), time.Minute)
}
