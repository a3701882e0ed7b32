package publish

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

func sampleIndex(t *testing.T) *lastIndex {
	t.Helper()
	index := decodedIndex(t, doc("a"))
	return &lastIndex{
		indexMetadata: indexMetadata{
			Source: "fake", ReadAt: sourceTime,
			Version: revision.Version{Hash: index.Version, At: sourceTime.Add(time.Second), Source: "0123", Revision: 3, Report: reportOf(index)},
		},
		Data: index.Bytes,
	}
}

func never(string) bool { return false }

func TestLastIndexThatIsOfNoUse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(i *lastIndex)
		file   func(text []byte) []byte
		want   string
	}{
		"none":              {file: func([]byte) []byte { return nil }, want: "no such file"},
		"another file":      {file: func([]byte) []byte { return []byte("{}") }, want: "not a last published index"},
		"a document":        {file: func(b []byte) []byte { return bytes.Replace(b, []byte(indexKind), []byte(goodKind), 1) }, want: "not a last published index"},
		"cut off":           {file: func(b []byte) []byte { return b[:len(b)-1] }, want: "damaged or truncated"},
		"of another source": {change: func(i *lastIndex) { i.Source = "another" }, want: "of another source"},
		"of other bytes":    {change: func(i *lastIndex) { i.Data = i.Data[:len(i.Data)-8] }, want: "its bytes are those of"},
		"without a report":  {change: func(i *lastIndex) { i.Version.Report = nil }, want: "report of version"},
		"as it should be":   {},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := openStore(t.TempDir())
			require.NoError(t, err)
			i := sampleIndex(t)
			if c.change != nil {
				c.change(i)
			}
			require.NoError(t, s.saveIndex(i, never))
			if c.file != nil {
				text, err := os.ReadFile(s.indexPath())
				require.NoError(t, err)
				require.NoError(t, os.Remove(s.indexPath()))
				if text = c.file(text); text != nil {
					require.NoError(t, os.WriteFile(s.indexPath(), text, 0o600))
				}
			}
			data, v, err := LastIndex(s.dir, newSource())
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.Nil(t, data)
				return
			}
			require.NoError(t, err)
			require.Equal(t, i.Version, v)
			require.Equal(t, i.Data, data)
		})
	}
	_, _, err := LastIndex("", newSource())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOnlyTheRefusedIndexIsDropped(t *testing.T) {
	s, err := openStore(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, s.dropIndex("x"), "there is none")
	i := sampleIndex(t)
	require.NoError(t, s.saveIndex(i, never))
	require.NoError(t, s.dropIndex("another"))
	_, err = s.loadIndex()
	require.NoError(t, err)
	require.NoError(t, s.dropIndex(i.Version.Hash))
	_, err = s.loadIndex()
	require.ErrorIs(t, err, fs.ErrNotExist)
	left, err := filepath.Glob(filepath.Join(s.dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestTheIndexBeforeIsTheLastThatAProxyHasLoaded(t *testing.T) {
	for name, c := range map[string]struct {
		saved  []string // in order; from the restart on in another process
		loaded []string // by proxies
		want   []string // what is there after each time that the last one is refused
	}{
		"none but the last":                        {saved: []string{"a"}, loaded: []string{"a"}, want: []string{""}},
		"the one before, which was loaded":         {saved: []string{"a", "b"}, loaded: []string{"a"}, want: []string{"a", ""}},
		"one that no proxy has loaded is passed":   {saved: []string{"a", "b", "c"}, loaded: []string{"a"}, want: []string{"a"}},
		"none was loaded":                          {saved: []string{"a", "b"}, want: []string{""}},
		"the same twice":                           {saved: []string{"a", "b", "b"}, loaded: []string{"a", "b"}, want: []string{"a"}},
		"one of an earlier process counts as good": {saved: []string{"a", "b", "restart", "c"}, want: []string{"b", ""}},
		"also after it was saved once more":        {saved: []string{"a", "b", "restart", "b", "c"}, want: []string{"b"}},
		"what was put back is kept in its turn":    {saved: []string{"a", "b", "refused", "c"}, loaded: []string{"a"}, want: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := openStore(t.TempDir())
			require.NoError(t, err)
			last := ""
			for _, version := range c.saved {
				switch version {
				case "restart":
					s, err = openStore(s.dir)
					require.NoError(t, err)
					_, err = s.recallIndex()
					require.NoError(t, err)
				case "refused":
					require.NoError(t, s.dropIndex(last))
				default:
					i := sampleIndex(t)
					i.Version.Hash, last = version, version
					require.NoError(t, s.saveIndex(i, func(v string) bool { return slices.Contains(c.loaded, v) }))
				}
			}
			for _, want := range c.want {
				require.NoError(t, s.dropIndex(last))
				i, err := s.loadIndex()
				if want == "" {
					require.ErrorIs(t, err, fs.ErrNotExist)
					break
				}
				require.NoError(t, err)
				require.Equal(t, want, i.Version.Hash)
				last = want
			}
		})
	}
}

func FuzzParseLastIndex(f *testing.F) {
	encode := func(t testing.TB, i *lastIndex) []byte {
		var b bytes.Buffer
		require.NoError(t, writeChecked(&b, indexKind, i.indexMetadata, i.Data))
		return b.Bytes()
	}
	good := encode(f, &lastIndex{indexMetadata: indexMetadata{Source: "s", Version: revision.Version{Hash: "h", Report: []byte("{}")}}, Data: []byte("index")})
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(encode(f, &lastIndex{}))
	f.Add([]byte(string(indexKind) + "2 x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parseLastIndex(data)
		if err != nil {
			require.Nil(t, i)
			return
		}
		text := encode(t, i)
		again, err := parseLastIndex(text)
		require.NoError(t, err)
		require.Equal(t, text, encode(t, again))
	})
}
