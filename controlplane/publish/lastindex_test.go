package publish

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
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
			require.NoError(t, s.saveIndex(i))
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
	require.NoError(t, s.saveIndex(i))
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
