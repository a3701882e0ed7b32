package revision_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

var errRefused = errors.New("refused")

// A check sees the very rows that a revision is made of and makes, also when another replica has written meanwhile, and can refuse it.
func TestACheckHasTheLastWord(t *testing.T) {
	store := newMemory()
	open := func() *revision.Service {
		s, err := revision.New(revision.Config{Store: store})
		require.NoError(t, err)
		require.NoError(t, s.Follow(t.Context()))
		return s
	}
	ours, theirs := open(), open()
	set := func(s *revision.Service, id string, check revision.Check) (revision.Revision, error) {
		return s.Apply(t.Context(), revision.ChangeSet{
			Who: "kim", Kind: revision.Edit, Check: check, Edits: []revision.RowEdit{{ID: id, After: &revision.Row{Campaign: []byte(id)}}},
		})
	}
	_, err := set(theirs, "a", nil) // ours has not followed yet
	require.NoError(t, err)

	asked := 0
	r, err := set(ours, "b", func(_ context.Context, before, after revision.Rows) error {
		asked++
		require.Equal(t, uint64(asked), before.Revision())
		require.Equal(t, asked, before.Len())
		require.Equal(t, uint64(asked+1), after.Revision())
		require.Equal(t, asked+1, after.Len())
		p, ok := after.Get("b")
		require.True(t, ok)
		require.Equal(t, after.Revision(), p.Revision)
		if asked == 1 {
			_, err := set(theirs, "c", nil) // before it can be written
			return err
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, asked)
	require.Equal(t, uint64(3), r.Number)

	refuse := func(context.Context, revision.Rows, revision.Rows) error { return errRefused }
	_, err = set(ours, "d", refuse)
	require.ErrorIs(t, err, errRefused)
	_, err = ours.Revert(t.Context(), 1, "kim", "", refuse)
	require.ErrorIs(t, err, errRefused)
	require.NoError(t, ours.Follow(t.Context()))
	require.Equal(t, uint64(3), ours.State().Rows.Revision(), "nothing was made")
	_, err = set(ours, "b", refuse)
	require.ErrorIs(t, err, revision.ErrUnchanged, "what changes nothing is not asked for")
}
