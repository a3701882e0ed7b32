package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const gibibyte = 1 << 30

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	send(t, w, text)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// zeros reads as n zero bytes and counts how many were taken.
type zeros struct{ left, taken int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left, z.taken = z.left-n, z.taken+n
	return int(n), nil
}

func TestHTTPReadsGzip(t *testing.T) {
	for _, encoding := range []string{"gzip", "GZIP", "x-gzip"} {
		t.Run(encoding, func(t *testing.T) {
			var accepted string
			h := newHTTP(t, HTTPConfig{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
				accepted = r.Header.Get("Accept-Encoding")
				w.Header().Set("Content-Encoding", encoding)
				_, _ = w.Write(zip(t, document))
			})})
			require.Equal(t, document, pollText(t, h))
			require.Equal(t, "gzip", accepted)
			pollUnchanged(t, h)
		})
	}
}

func TestHTTPRefusesABody(t *testing.T) {
	zipped := zip(t, strings.Repeat(document, 100))
	tests := map[string]struct {
		encoding string
		body     []byte
		want     string
	}{
		"in an encoding that was not asked for": {encoding: "br", body: []byte("x"), want: `content encoding "br" is not supported`},
		"that is called gzip and is not":        {encoding: "gzip", body: []byte(strings.Repeat("x", 99)), want: "read gzip body: gzip: invalid header"},
		"with a truncated gzip stream":          {encoding: "gzip", body: zipped[:len(zipped)-12], want: "unexpected EOF"},
		"with a damaged gzip stream":            {encoding: "gzip", body: append(bytes.Clone(zipped[:len(zipped)-8]), make([]byte, 8)...), want: "gzip: invalid checksum"},
		"with an empty gzip stream":             {encoding: "gzip", want: "read gzip body: EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHTTP(t, HTTPConfig{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", tt.encoding)
				_, _ = w.Write(tt.body)
			})})
			require.ErrorContains(t, pollError(t, h), tt.want)
		})
	}
}

func TestHTTPSizeLimitIsExact(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter, text string){
		"with a length":    func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) },
		"without a length": func(w http.ResponseWriter, text string) { w.(http.Flusher).Flush(); _, _ = io.WriteString(w, text) },
		"gzipped": func(w http.ResponseWriter, text string) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(t, text))
		},
	} {
		t.Run(name, func(t *testing.T) {
			size := 1000
			h := newHTTP(t, HTTPConfig{MaxBytes: 1000, URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				write(w, strings.Repeat("x", size))
			})})
			require.Len(t, pollText(t, h), 1000)
			size = 1001
			var tooLarge *TooLargeError
			err := pollError(t, h)
			require.ErrorAs(t, err, &tooLarge)
			require.True(t, tooLarge.TooLarge())
			require.ErrorContains(t, err, "larger than 1000 bytes")
		})
	}
}

func TestHTTPEndsAGibibyteOfZerosAtTheLimit(t *testing.T) {
	const limit = 8 << 20
	block := strings.Repeat("\x00", 16<<20)
	zipped := zip(t, block)
	tests := map[string]func(w http.ResponseWriter, from io.Reader){
		"announced": func(w http.ResponseWriter, from io.Reader) {
			w.Header().Set("Content-Length", strconv.Itoa(gibibyte))
			_, _ = io.Copy(w, from)
		},
		"not announced": func(w http.ResponseWriter, from io.Reader) { _, _ = io.Copy(w, from) },
		"gzipped": func(w http.ResponseWriter, _ io.Reader) {
			w.Header().Set("Content-Encoding", "gzip")
			for range gibibyte / len(block) {
				_, _ = w.Write(zipped)
			}
		},
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			body := &zeros{left: gibibyte}
			done := make(chan struct{})
			h := newHTTP(t, HTTPConfig{MaxBytes: limit, Timeout: time.Minute, URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				defer close(done)
				write(w, body)
			})})

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := pollError(t, h)
			<-done
			runtime.ReadMemStats(&after)

			require.ErrorContains(t, err, "larger than 8388608 bytes")
			allocated := after.TotalAlloc - before.TotalAlloc
			require.Less(t, allocated, uint64(6*limit)) // twice as much with the race detector
			// The buffers of a connection hold some MiB more than is read.
			require.Less(t, body.taken, int64(4*limit))
			t.Logf("%d MiB allocated, %d MiB taken from the sender", allocated>>20, body.taken>>20)
		})
	}
}

func TestHTTPDefaultLimitIs64MiB(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(DefaultMaxBytes+1))
	})})
	require.ErrorContains(t, pollError(t, h), "larger than 67108864 bytes")
}

func TestHTTPEndsABodyThatDecompressesToNothing(t *testing.T) {
	empty := zip(t, "")
	h := newHTTP(t, HTTPConfig{MaxBytes: 100_000, URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for {
			if _, err := w.Write(empty); err != nil {
				return
			}
		}
	})})
	var tooLarge *TooLargeError
	require.ErrorAs(t, pollError(t, h), &tooLarge)
}

// hijack answers with raw bytes and closes the connection.
func hijack(t *testing.T, answer string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	})
}

func TestHTTPBodyThatEndsBeforeItsLength(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: hijack(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ads\"")})
	require.ErrorContains(t, pollError(t, h), "read body after 6 bytes: unexpected EOF")
}

func TestHTTPBodyThatEndsBeforeItsLastChunk(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: hijack(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"ads\"\r\n")})
	require.ErrorContains(t, pollError(t, h), "read body after 6 bytes: unexpected EOF")
}

func TestHTTPBodyLongerThanItsLengthIsCutThere(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: hijack(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"+document+"and more")})
	require.Equal(t, document, pollText(t, h))
}

func TestHTTPNotHTTPAtAll(t *testing.T) {
	h := newHTTP(t, HTTPConfig{URL: hijack(t, "SSH-2.0-OpenSSH_9.6\r\n")})
	require.ErrorContains(t, pollError(t, h), "malformed HTTP")
}

func TestHTTPTimesOut(t *testing.T) {
	tests := map[string]func(w http.ResponseWriter){
		"before the headers": func(http.ResponseWriter) {},
		"inside the body": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"ads":[`)
			w.(http.Flusher).Flush()
		},
		"inside a gzip body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(t, document)[:20])
			w.(http.Flusher).Flush()
		},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHTTP(t, HTTPConfig{Timeout: 100 * time.Millisecond, URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				<-r.Context().Done()
			})})
			require.ErrorContains(t, pollError(t, h), ": timed out after 100ms")
		})
	}
}

func TestHTTPEndsWithItsCaller(t *testing.T) {
	asked := make(chan struct{})
	h := newHTTP(t, HTTPConfig{URL: serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := h.Poll(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
