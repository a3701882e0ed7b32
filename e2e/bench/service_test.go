package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ask asks a service and returns status and body.
func ask(s adStore, query string) (int, string) {
	r := httptest.NewRequest("GET", "/ad_request?"+query, nil)
	w := httptest.NewRecorder()
	serviceHandler(s).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// always is the table whose ads run all day.
func always() adTable {
	hours := strings.Repeat("1", 24)
	return adTable{{Country: "us", Lang: "eng"}: {{hours, "A"}, {hours, "B"}, {hours, "C"}}}
}

func TestTheServiceAnswersInTurns(t *testing.T) {
	address := fakeRedis(t)
	kept, err := newRedisStore(address, always(), 0)
	require.NoError(t, err)
	for name, store := range map[string]adStore{"in memory": newMemoryStore(always()), "in Redis": everyHour{kept}} {
		t.Run(name, func(t *testing.T) {
			for _, want := range []string{"A", "B", "C", "A", "B"} {
				status, body := ask(store, "country=us&lang=eng")
				require.Equal(t, 200, status)
				require.Equal(t, want, body)
			}
			status, body := ask(store, "country=US&lang=ENG&x=y")
			require.Equal(t, 200, status)
			require.Equal(t, "C", body)
			status, body = ask(store, "country=us&lang=fra")
			require.Equal(t, 404, status)
			require.Equal(t, noAdBody, body)
			status, _ = ask(store, "country=us")
			require.Equal(t, 400, status)
		})
	}
}

// everyHour asks for hour 0 whatever the time is: two hours are all that is kept.
type everyHour struct{ store adStore }

func (e everyHour) next(key storeKey, _ int) ([]byte, error) { return e.store.next(key, 0) }

// fakeRedis knows RPUSH and RPOPLPUSH.
func fakeRedis(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var mu sync.Mutex
	lists := map[string][]string{}
	answer := func(args []string) string {
		mu.Lock()
		defer mu.Unlock()
		list := lists[args[1]]
		if args[0] == "RPUSH" {
			lists[args[1]] = append(list, args[2:]...)
			return fmt.Sprintf(":%d\r\n", len(lists[args[1]]))
		}
		if len(list) == 0 {
			return "$-1\r\n"
		}
		last := list[len(list)-1]
		lists[args[1]] = append([]string{last}, list[:len(list)-1]...)
		return fmt.Sprintf("$%d\r\n%s\r\n", len(last), last)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the test sees what it gets
				in := bufio.NewReader(conn)
				for {
					var n int
					if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
						return
					}
					args := make([]string, n)
					for i := range args {
						var length int
						if _, err := fmt.Fscanf(in, "$%d\r\n%s\r\n", &length, &args[i]); err != nil {
							return
						}
					}
					if _, err := conn.Write([]byte(answer(args))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestAnErrorOfRedisIsAnError(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"an error":        {"-ERR no\r\n", "ERR no"},
		"a wrong length":  {"$x\r\n", "length"},
		"another type":    {"*0\r\n", "answer is"},
		"an empty answer": {"\n", "empty"},
		"the end":         {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			go func() {
				_, _ = there.Read(make([]byte, 1024)) // the command
				_, _ = there.Write([]byte(c.answer))
				_ = there.Close()
			}()
			conn := &redisConn{conn: here, in: bufio.NewReader(here)}
			_, err := conn.do("PING")
			require.ErrorContains(t, err, c.want)
		})
	}
}
