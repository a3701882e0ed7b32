package revision

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestChangesAreDecodedAsTheyWereEncoded(t *testing.T) {
	rowOrNot := rapid.Custom(func(t *rapid.T) *Row {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		return &Row{Campaign: []byte(rapid.StringN(0, 300, -1).Draw(t, "campaign"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		changes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Change {
			id := rapid.StringN(1, 20, MaxIDBytes).Draw(t, "id")
			return Change{ID: id, Before: rowOrNot.Draw(t, "before"), After: rowOrNot.Draw(t, "after")}
		}), 1, 20).Draw(t, "changes")
		var raw []byte
		for _, c := range changes {
			before := len(raw)
			raw = appendChange(raw, c)
			require.LessOrEqual(t, len(raw)-before, changeSize(c))
		}
		stored, err := compress(raw)
		require.NoError(t, err)
		got, err := decodeChanges(stored)
		require.NoError(t, err)
		require.Len(t, got, len(changes))
		for i, c := range changes {
			require.Equal(t, c.ID, got[i].ID)
			require.True(t, equal(c.Before, got[i].Before) && equal(c.After, got[i].After))
		}
	})
}

func TestARowAndAPauseAreNotTheSame(t *testing.T) {
	require.True(t, equal(nil, nil))
	require.True(t, equal(&Row{}, &Row{Campaign: []byte{}}))
	require.False(t, equal(nil, &Row{}))
	require.False(t, equal(&Row{}, nil))
	require.False(t, equal(&Row{}, &Row{Campaign: []byte("{}")}))
}

// TestTheLongestChunkFitsIntoAValue: random bytes, which cannot be compressed, with the longest row last.
func TestTheLongestChunkFitsIntoAValue(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	long := func(n int) *Row {
		r := &Row{Campaign: make([]byte, n)}
		_, _ = random.Read(r.Campaign) // it has no error
		return r
	}
	var changes []Change
	for i := range 9 {
		changes = append(changes, Change{ID: fmt.Sprintf("%0*d", MaxIDBytes, i), Before: long(MaxCampaignBytes), After: long(MaxCampaignBytes)})
	}
	changes[7].After = long(MaxCampaignBytes - 9*MaxIDBytes - 80) // the chunk is one byte or so short of being full
	spans := split(len(changes), func(i int) int { return changeSize(changes[i]) })
	largest := 0
	for _, s := range spans {
		var raw []byte
		for _, c := range changes[s.from:s.to] {
			raw = appendChange(raw, c)
		}
		require.LessOrEqual(t, len(raw), maxRaw)
		stored, err := compress(raw)
		require.NoError(t, err)
		require.LessOrEqual(t, len(stored), MaxValue)
		got, err := decodeChanges(stored)
		require.NoError(t, err)
		require.Equal(t, changes[s.from:s.to], got)
		largest = max(largest, len(raw))
	}
	require.Greater(t, largest, chunkRaw+2*MaxCampaignBytes-2*MaxIDBytes-100)
}

func TestSplitLeavesNothingOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 2*MaxCampaignBytes), 0, 100).Draw(t, "sizes")
		next := 0
		for _, s := range split(len(sizes), func(i int) int { return sizes[i] }) {
			require.Equal(t, next, s.from)
			require.Greater(t, s.to, s.from)
			next = s.to
		}
		require.Equal(t, len(sizes), next)
	})
}

func deflated(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestChunksThatMakeNoSense(t *testing.T) {
	good := appendChange(nil, Change{ID: "x", After: &Row{Campaign: []byte("{}")}})
	for name, stored := range map[string][]byte{
		"not compressed":         []byte("hello"),
		"cut off":                deflated(t, good)[:5],
		"a bomb":                 deflated(t, make([]byte, 100<<20)),
		"a record that ends":     deflated(t, good[:len(good)-1]),
		"no ID":                  deflated(t, []byte{0, 0, 0}),
		"an ID that is too long": deflated(t, append([]byte{200, 1}, strings.Repeat("x", 202)...)),
		"a length that ends":     deflated(t, []byte{0x80}),
		"a length beyond all":    deflated(t, []byte{1, 'x', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}),
		"a row that is too long": deflated(t, append([]byte{1, 'x', 0x82, 0x80, 1}, make([]byte, MaxCampaignBytes+1)...)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeChanges(stored)
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorIs(t, decodeRows(stored, func(string, Present) {}), ErrDamaged)
		})
	}
	for name, raw := range map[string][]byte{"no row": {1, 'x', 1, 0}, "revision 0": {1, 'x', 0, 1}} {
		require.ErrorIs(t, decodeRows(deflated(t, raw), func(string, Present) {}), ErrDamaged, name)
	}
}

// FuzzChunk decodes whatever a chunk may expand to, and what it is decoded to is encoded to the same.
func FuzzChunk(f *testing.F) {
	f.Add(appendChange(nil, Change{ID: "x", Before: &Row{}, After: &Row{Campaign: []byte("{}")}}))
	f.Add(appendChange(appendChange(nil, Change{ID: "x", Before: &Row{}}), Change{ID: "y", After: &Row{}}))
	f.Add(appendStored(nil, "x", Present{Row: Row{Campaign: []byte("{}")}, Revision: 3}))
	f.Add([]byte{1, 'x', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = expand(raw) // as a stream of its own: no panic
		stored, err := compress(raw)
		require.NoError(t, err)
		changes, err := decodeChanges(stored)
		if err == nil {
			var again []byte
			for _, c := range changes {
				again = appendChange(again, c)
			}
			restored, err := compress(again)
			require.NoError(t, err)
			got, err := decodeChanges(restored)
			require.NoError(t, err)
			require.Equal(t, changes, got)
		} else {
			require.ErrorIs(t, err, ErrDamaged)
		}
		err = decodeRows(stored, func(id string, p Present) {
			require.NotEmpty(t, id)
			require.NotZero(t, p.Revision)
			require.LessOrEqual(t, len(p.Row.Campaign), MaxCampaignBytes)
		})
		require.True(t, err == nil || errors.Is(err, ErrDamaged))
	})
}

// FuzzDocuments decodes revisions, pins, decisions, snapshots and lists of pending batches.
func FuzzDocuments(f *testing.F) {
	for _, value := range []string{
		`{"at":"2026-03-04T05:06:07Z","who":"ann","kind":"edit","count":1,"inline":"AA=="}`,
		`{"who":"ann","kind":"edit","count":9,"batch":"B","starts":[0,4]}`,
		`{"who":"ann","kind":"pause","count":1,"first_ids":["x"],"added":1,"inline":"AA=="}`, `{"kind":"rollback","version":"v1","who":"ann"}`,
		`{"batch":"B","starts":[0,-4],"count":-1}`, `{"batches":{"B":{"chunks":-1}}}`, `{"number":18446744073709551615}`, `null`, `[]`,
	} {
		f.Add([]byte(value), 3)
	}
	f.Fuzz(func(t *testing.T, value []byte, from int) {
		if r, err := decodeRevision(value); err == nil {
			j := journal{store: nowhere{}}
			err := j.changes(t.Context(), r, max(from, 0), func([]Change) bool { return true })
			require.True(t, err == nil || errors.Is(err, ErrDamaged), "%v", err)
		}
		for _, v := range []any{&head{}, &Pin{}, &Decision{}, &Action{}, &storedSnapshot{}, &pending{}, &storedVersions{}} {
			if err := readJSON(Entry{Value: value, Version: 1}, "key", v); err != nil {
				require.ErrorIs(t, err, ErrDamaged)
			}
		}
		var s storedSnapshot
		if readJSON(Entry{Value: value, Version: 1}, "key", &s) == nil {
			_, err := (&journal{store: nowhere{"snapshot": value}}).load(t.Context())
			require.True(t, err == nil || errors.Is(err, ErrDamaged), "%v", err)
		}
	})
}
