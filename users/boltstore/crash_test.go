package boltstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/users/record"
)

const crashWriters = 8

// writeForEver creates records and updates each once, and prints "writer n version" after each acknowledged write.
func writeForEver(s *Store) error {
	var out sync.Mutex
	failed := make(chan error, crashWriters)
	for writer := range crashWriters {
		go func() {
			for n := writer; ; n += crashWriters {
				r := testRecord(n)
				if err := s.Create(context.Background(), r, testKey(n, testNow.Add(time.Hour)), testNow); err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(n, 1)
				out.Unlock()
				from := r
				r.Version, r.LastName = 2, "updated"
				if err := s.Update(context.Background(), r, from); err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(n, 2)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func TestAKilledProcessLosesNoAcknowledgedWrite(t *testing.T) {
	for _, acknowledged := range []int{1, 100, 1500} {
		t.Run(fmt.Sprintf("after %d writes", acknowledged), func(t *testing.T) {
			path := testFile(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childMode+"=write", childFile+"="+path)
			cmd.Stderr = os.Stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())

			versions, lines := map[int]int64{}, bufio.NewScanner(stdout)
			for seen := 0; lines.Scan(); seen++ { // what was printed before the kill is read as well
				var n int
				var version int64
				if _, err := fmt.Sscan(lines.Text(), &n, &version); err != nil {
					continue // cut off by the kill
				}
				versions[n] = max(versions[n], version)
				if seen == acknowledged {
					require.NoError(t, cmd.Process.Kill())
				}
			}
			require.Error(t, cmd.Wait(), "it was killed")
			require.NotEmpty(t, versions)

			s := openStore(t, path)
			for n, version := range versions {
				r, err := s.Read(t.Context(), testRecord(n).UserID)
				require.NoError(t, err)
				require.GreaterOrEqual(t, r.Version, version)
				_, err = s.Key(t.Context(), testKey(n, testNow).Name, testNow)
				require.NoError(t, err, "the key of %d", n)
			}
			require.NoError(t, s.Create(t.Context(), record.Record{UserID: "99999999"}, nil, testNow))
		})
	}
}

func TestAFullDiskIsUnavailable(t *testing.T) {
	path := testFile(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=full", childFile+"="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), record.ErrUnavailable.Error())
	var created int
	_, err = fmt.Sscan(string(out), &created)
	require.NoError(t, err, "%s", out)
	require.Positive(t, created)

	s := openStore(t, path) // there is room again
	for n := range created {
		r, err := s.Read(t.Context(), testRecord(n).UserID)
		require.NoError(t, err)
		require.Equal(t, n == 0, r.Version == 2, "the first was updated when there was no room for another")
	}
	_, err = s.Read(t.Context(), testRecord(created).UserID)
	require.ErrorIs(t, err, record.ErrNotFound)
	require.NoError(t, s.Create(t.Context(), testRecord(created), nil, testNow))
}
