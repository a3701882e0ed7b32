package publish

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sample() *lastGood {
	return &lastGood{
		metadata: metadata{
			Source: "http 12ab", Location: "https://h/c.json",
			SourceTime: time.Date(2027, 1, 5, 11, 0, 0, 0, time.UTC), ReadAt: time.Date(2027, 1, 5, 12, 0, 0, 5, time.UTC),
			Position: `{"etag":"\"1\""}`,
		},
		Data: []byte("{\"ads\":[\n]}\n"),
	}
}

func encode(t testing.TB, g *lastGood) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, g.writeTo(&buf))
	return buf.Bytes()
}

func TestStateRoundTrip(t *testing.T) {
	for name, data := range map[string]string{
		"a document":           doc("a"),
		"one with line ends":   "{\n\n}\n",
		"one without any byte": "",
		"bytes of any value":   "\x00\xff\n\r",
	} {
		t.Run(name, func(t *testing.T) {
			want := sample()
			want.Data = []byte(data)
			got, err := parseLastGood(encode(t, want))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestStateFileIsReadable(t *testing.T) {
	lines := strings.SplitN(string(encode(t, sample())), "\n", 3)
	require.Regexp(t, `^adsidecar-last-good 1 sha256:[0-9a-f]{64}$`, lines[0])
	require.JSONEq(t, `{"source":"http 12ab","location":"https://h/c.json","source_time":"2027-01-05T11:00:00Z",
		"read_at":"2027-01-05T12:00:00.000000005Z","position":"{\"etag\":\"\\\"1\\\"\"}"}`, lines[1])
	require.Equal(t, "{\"ads\":[\n]}\n", lines[2])
}

func TestStateDamaged(t *testing.T) {
	good := encode(t, sample())
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty":                 {nil, "not a last good document"},
		"another file":          {[]byte("{\"ads\":[]}\n"), "not a last good document"},
		"an endless first line": {bytes.Repeat([]byte(string(goodKind)), 100), "not a last good document"},
		"a newer format":        {[]byte(string(goodKind) + "2 whatever\n{}"), `format "2", this program reads "1"`},
		"no format":             {[]byte(string(goodKind) + "\n{}"), `format "", this program reads "1"`},
		"no checksum":           {[]byte(string(goodKind) + "1\n{}"), "checksum does not match"},
		"bytes added":           {append(bytes.Clone(good), 'x'), "checksum does not match"},
		"a document of another": {append(bytes.Clone(good[:len(good)-1]), ' '), "checksum does not match"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseLastGood(tt.data)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestStateTruncatedOrChangedAnywhereIsRefused(t *testing.T) {
	good := encode(t, sample())
	for i := range good {
		_, err := parseLastGood(good[:i])
		require.Error(t, err, "the first %d bytes", i)

		changed := bytes.Clone(good)
		changed[i] ^= 1
		_, err = parseLastGood(changed)
		require.Error(t, err, "byte %d changed", i)
	}
}

type failingWriter struct{ after int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestStateWriteErrorIsReported(t *testing.T) {
	for after := range 3 {
		require.EqualError(t, sample().writeTo(&failingWriter{after}), "disk full")
	}
}

func FuzzParseLastGood(f *testing.F) {
	good := encode(f, sample())
	f.Add(good)
	f.Add(good[:len(good)-3])
	g := &lastGood{}
	f.Add(encode(f, g))
	f.Add([]byte(string(goodKind) + "2 x\n"))
	f.Add([]byte("{\"ads\":[]}\n"))
	// A right checksum over metadata that are none.
	f.Add([]byte(string(goodKind) + "1 sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseLastGood(data)
		if err != nil {
			require.Nil(t, g)
			return
		}
		again, err := parseLastGood(encode(t, g))
		require.NoError(t, err)
		require.Equal(t, g, again)
	})
}
