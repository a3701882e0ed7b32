package main

import (
	"bufio"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// answering is a server that answers request n of each connection by answer(n), and returns its address.
func answering(t *testing.T, answer func(n int, r *http.Request) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the test sees what it gets
				in := bufio.NewReader(conn)
				for n := 0; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, err := conn.Write([]byte(answer(n, r))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestAWireSendsOneRequestAfterTheOther(t *testing.T) {
	var asked []string
	address := answering(t, func(n int, r *http.Request) string {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		if n == 0 {
			return "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
		}
		return "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx: y\r\n\r\n"
	})
	w, err := dialWire(address, "t.o.k")
	require.NoError(t, err)
	defer w.close()
	status, body, err := w.get("/a?b=c")
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Equal(t, "hello", string(body))
	status, body, err = w.get("/d")
	require.NoError(t, err)
	require.Equal(t, 404, status)
	require.Empty(t, body)
	require.Equal(t, []string{"GET /a?b=c Bearer t.o.k", "GET /d Bearer t.o.k"}, asked)
}

func TestAnAnswerThatAWireCannotReadIsAnError(t *testing.T) {
	for name, answer := range map[string]string{
		"no length":            "HTTP/1.1 200 OK\r\n\r\n",
		"no status":            "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",
		"a short line":         "HTTP\r\n\r\n",
		"a length of letters":  "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
		"a length of gigabyte": "HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n",
		"a negative length":    "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w, err := dialWire(answering(t, func(int, *http.Request) string { return answer }), "t")
			require.NoError(t, err)
			defer w.close()
			_, _, err = w.get("/")
			require.ErrorIs(t, err, errAnswer)
		})
	}
}
