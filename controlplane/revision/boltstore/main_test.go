package boltstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/storetest"
)

// In the environment of a test binary that is started as a process of its own: the file that it writes to, and what it does.
const (
	childFile = "ADSIDECAR_REVISIONS_FILE"
	childDoes = "ADSIDECAR_REVISIONS_DO"
)

var children = map[string]func(path string) error{"write for ever": writeForEver, "fill": fill}

func TestMain(m *testing.M) {
	if do, ok := children[os.Getenv(childDoes)]; ok {
		if err := do(os.Getenv(childFile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is not started yet.
func child(t *testing.T, does, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDoes+"="+does, childFile+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "revisions.db")
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) revision.Store { return open(t, newPath(t)) })
}

// set has one edit of a row of its own, or, each tenth, edits of several chunks; all rows of a set have its number.
func set(n int) revision.ChangeSet {
	c := revision.ChangeSet{Who: "ann", Kind: revision.Edit}
	number := fmt.Sprintf("%d ", n)
	c.Edits = append(c.Edits, revision.RowEdit{ID: fmt.Sprint("single-", n), After: &revision.Row{Campaign: []byte(number)}})
	if n%10 == 0 {
		for i := range 100 {
			campaign := number + strings.Repeat("x", 8<<10)
			c.Edits = append(c.Edits, revision.RowEdit{ID: fmt.Sprint("wide-", i), After: &revision.Row{Campaign: []byte(campaign)}})
		}
	}
	return c
}

// writeForEver prints the number of each revision that was acknowledged.
func writeForEver(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	service, err := revision.New(revision.Config{Store: s})
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		r, err := service.Apply(context.Background(), set(n))
		if err != nil {
			return err
		}
		fmt.Println(r.Number)
	}
}

func TestAKilledProcessLosesNoAcknowledgedRevision(t *testing.T) {
	for _, acknowledged := range []uint64{1, 9, 10, 19, 55, 200} { // 9 and 19 are in the middle of several chunks
		t.Run(fmt.Sprintf("after %d revisions", acknowledged), func(t *testing.T) {
			path := newPath(t)
			cmd := child(t, "write for ever", path)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			last, lines := uint64(0), bufio.NewScanner(stdout)
			for lines.Scan() { // what was printed before the kill is read as well
				var number uint64
				if _, err := fmt.Sscan(lines.Text(), &number); err != nil || number != last+1 {
					continue // cut off by the kill
				}
				if last = number; last == acknowledged {
					require.NoError(t, cmd.Process.Kill())
				}
			}
			require.Error(t, cmd.Wait(), "it was killed")

			s := open(t, path)
			service, err := revision.New(revision.Config{Store: s})
			require.NoError(t, err)
			require.NoError(t, service.Follow(t.Context()))
			rows := service.State().Rows
			require.GreaterOrEqual(t, rows.Revision(), last)
			for n := 1; n <= int(rows.Revision()); n++ {
				changes, err := service.Changes(t.Context(), uint64(n), 0, 1000)
				require.NoError(t, err)
				require.Len(t, changes, len(set(n).Edits), "all of a revision or nothing")
				p, ok := rows.Get(fmt.Sprint("single-", n))
				require.True(t, ok)
				require.EqualValues(t, n, p.Revision)
			}
			for i := range 100 {
				p, ok := rows.Get(fmt.Sprint("wide-", i))
				require.Equal(t, rows.Revision() >= 10, ok)
				require.Equal(t, rows.Revision()/10*10, p.Revision)
			}
			r, err := service.Apply(t.Context(), set(10_000))
			require.NoError(t, err)
			require.Equal(t, rows.Revision()+1, r.Number)
		})
	}
}

func TestRevisionsAreThereAfterTheFileIsOpenedAgain(t *testing.T) {
	path := newPath(t)
	s, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, s.Ready(t.Context()))
	require.NoError(t, s.Commit(t.Context(), revision.Put{Key: "a", Value: []byte("1")}))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Ready(t.Context()), revision.ErrUnavailable)
	_, err = s.Read(t.Context(), "a")
	require.ErrorIs(t, err, revision.ErrUnavailable)
	require.ErrorIs(t, s.Commit(t.Context(), revision.Put{Key: "b", Value: []byte("1")}), revision.ErrUnavailable)
	require.ErrorIs(t, s.Remove(t.Context(), "a"), revision.ErrUnavailable)
	entries, err := open(t, path).Read(t.Context(), "a", "b")
	require.NoError(t, err)
	require.Equal(t, []revision.Entry{{Value: []byte("1"), Version: 1}, {}}, entries)
}

func TestDamagedValuesAreNamed(t *testing.T) {
	for name, stored := range map[string]string{"too short": "\x00\x00\x00\x00\x00\x00\x00\x01", "no version": "\x00\x00\x00\x00\x00\x00\x00\x00x"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t))
			require.NoError(t, s.file.Update(t.Context(), func(tx *bbolt.Tx) error {
				return tx.Bucket(valueBucket).Put([]byte("head"), []byte(stored))
			}))
			_, err := s.Read(t.Context(), "head")
			require.ErrorIs(t, err, revision.ErrDamaged)
			require.ErrorContains(t, err, "read head")
			require.ErrorIs(t, s.Commit(t.Context(), revision.Put{Key: "head", Value: []byte("x")}), revision.ErrDamaged)
		})
	}
}

func TestAHundredThousandChanges(t *testing.T) {
	storetest.HundredThousand(t, open(t, newPath(t)), 2*time.Minute)
}
