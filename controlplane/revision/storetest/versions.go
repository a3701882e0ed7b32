package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// index is n bytes that cannot be compressed.
func index(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(content) // it has no error
	return content
}

func version(hash string) revision.Version {
	return revision.Version{Hash: hash, At: now, Source: "document", Revision: 7, Report: []byte(`{"ads":3}`)}
}

func requireVersion(t *testing.T, s *revision.Service, hash string, content []byte) {
	t.Helper()
	var got bytes.Buffer
	v, err := s.ReadVersion(ctx(t), hash, &got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got.Bytes()))
	want := version(hash)
	want.Bytes = len(content)
	require.Equal(t, want, v)
}

func keep(t *testing.T, s *revision.Service, all ...string) {
	t.Helper()
	for _, hash := range all {
		require.NoError(t, s.KeepVersion(ctx(t), version(hash), index(1)))
	}
}

func hashes(t *testing.T, s *revision.Service) (all []string) {
	t.Helper()
	kept, err := s.Versions(ctx(t))
	require.NoError(t, err)
	for _, v := range kept {
		all = append(all, v.Hash)
	}
	return all
}

var versions = suite{
	"an index is read as it was kept, by every service": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		for i, n := range []int{1, 256 << 10, 256<<10 + 1, 3 << 20} {
			require.NoError(t, a.KeepVersion(ctx(t), version(fmt.Sprint("v", i)), index(n)))
			requireVersion(t, b, fmt.Sprint("v", i), index(n))
		}
		require.Equal(t, []string{"v3", "v2", "v1", "v0"}, hashes(t, b))
		_, err := b.ReadVersion(ctx(t), "v4", &bytes.Buffer{})
		require.ErrorIs(t, err, revision.ErrNoVersion)
	},
	"what is published again becomes the newest, and is not written again": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		require.NoError(t, a.KeepVersion(ctx(t), version("v1"), index(100)))
		require.NoError(t, a.KeepVersion(ctx(t), version("v2"), index(200)))
		before, _ := seen.seen()
		require.NoError(t, a.KeepVersion(ctx(t), version("v1"), index(100)))
		after, _ := seen.seen()
		require.Equal(t, before, after)
		require.Equal(t, []string{"v1", "v2"}, hashes(t, a))
		requireVersion(t, a, "v1", index(100))
	},
	"the oldest goes, with its index, but not a pinned one": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		for i := range revision.MaxVersions + 2 {
			require.NoError(t, a.KeepVersion(ctx(t), version(fmt.Sprint("v", i)), index(i+1)))
			if i == 0 {
				_, err := a.SetPin(ctx(t), 0, "v0", "kim", "")
				require.NoError(t, err)
			}
		}
		kept := hashes(t, a)
		require.Len(t, kept, revision.MaxVersions)
		require.Contains(t, kept, "v0")
		require.NotContains(t, kept, "v1")
		require.NotContains(t, kept, "v2")
		require.Contains(t, kept, "v3")
		requireVersion(t, a, "v0", index(1))
		chunks, _ := seen.seen()
		require.Equal(t, revision.MaxVersions+2, present(t, s, chunks))
		cleaned(t, s, now.Add(2*time.Hour))
		require.Equal(t, revision.MaxVersions, present(t, s, chunks))
		requireVersion(t, a, "v51", index(52))
	},
	"services that keep at once lose none, and keep one version once": func(t *testing.T, s revision.Store) {
		a, b := service(t, s), service(t, s)
		var meanwhile []string
		seen := &spy{Store: s}
		seen.before = func(all []revision.Put) {
			if puts(all, "versions") {
				keep(t, b, meanwhile...)
				meanwhile = nil
			}
		}
		hooked := service(t, seen)
		for _, meanwhile = range [][]string{{"v2"}, {"v3"}} {
			keep(t, hooked, "v1")
		}
		meanwhile = []string{"v4"}
		keep(t, hooked, "v4")
		require.Equal(t, []string{"v4", "v1", "v3", "v2"}, hashes(t, a))
		for _, hash := range hashes(t, a) {
			requireVersion(t, a, hash, index(1))
		}
		chunks, _ := seen.seen()
		require.Len(t, chunks, 2, "each is written once")
		require.Equal(t, 1, present(t, s, chunks), "not what another had written meanwhile")
		require.Equal(t, `{"batches":{}}`, string(read(t, s, "pending").Value))
	},
	"wherever the writer dies, the version is whole or not there": func(t *testing.T, s revision.Store) {
		for left, there := 0, false; !there; left++ {
			dying := &spy{Store: s, mortal: true, left: left, applied: left%2 == 1}
			err := service(t, dying).KeepVersion(ctx(t), version("v1"), index(600<<10))
			a := service(t, s)
			if there = len(hashes(t, a)) > 0; there {
				requireVersion(t, a, "v1", index(600<<10))
				break
			}
			require.ErrorIs(t, err, revision.ErrUnavailable)
			cleaned(t, s, now.Add(2*time.Hour))
			chunks, _ := dying.seen()
			require.Zero(t, present(t, s, chunks))
		}
	},
	"a damaged index is no version": func(t *testing.T, s revision.Store) {
		seen := &spy{Store: s}
		a := service(t, seen)
		require.NoError(t, a.KeepVersion(ctx(t), version("v1"), index(600<<10)))
		chunks, _ := seen.seen()
		first, second := read(t, s, chunks[0]), read(t, s, chunks[1])
		require.NoError(t, s.Commit(ctx(t), revision.Put{Key: chunks[0], Value: second.Value, Version: first.Version}))
		_, err := a.ReadVersion(ctx(t), "v1", &bytes.Buffer{})
		require.ErrorIs(t, err, revision.ErrDamaged)
		require.NoError(t, s.Remove(ctx(t), chunks[0]))
		_, err = a.ReadVersion(ctx(t), "v1", &bytes.Buffer{})
		require.ErrorIs(t, err, revision.ErrDamaged)
	},
	"what is beyond the limits is refused by field": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		long := index(revision.MaxVersionBytes + 1)
		for field, v := range map[string]revision.Version{
			"hash": {}, "source": {Hash: "v", Source: string(long)}, "report": {Hash: "v", Report: index(revision.MaxReportBytes + 1)},
		} {
			require.ErrorContains(t, a.KeepVersion(ctx(t), v, index(1)), field+" must have", field)
		}
		require.ErrorContains(t, a.KeepVersion(ctx(t), version("v1"), nil), "index must have")
		require.Empty(t, hashes(t, a))
	},
}
