package plugin

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/abi"
	"adsidecar/filter/adrequest"
)

func requireInternal(t *testing.T, r *reply) {
	t.Helper()
	require.NotNil(t, r)
	require.EqualValues(t, 500, r.status)
	require.Equal(t, string(adrequest.Internal.Body), r.body)
	require.Contains(t, r.body, `"code":"internal"`)
}

func TestAPanicInsideARequestIs500AndTheNextOneIsFine(t *testing.T) {
	tests := map[string]struct {
		value any
		want  string
	}{
		"a text":          {"no clock", "no clock"},
		"an error":        {errors.New("no clock"), "no clock"},
		"a fault of Go":   {nil, "panic called with nil argument"},
		"any other value": {7, "neither an error nor a text"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newNative(t)
			require.True(t, w.push(us(t, "A")))
			w.now = func() time.Time { panic(tc.value) }
			requireInternal(t, request(t, w, "GET", usEng))
			require.EqualValues(t, 1, w.counter("adsidecar.internal"))
			require.Len(t, w.logs(abi.Error), 1)
			require.Contains(t, w.logs(abi.Error)[0], "ad request: panic: "+tc.want)
			require.Contains(t, w.logs(abi.Error)[0], "request.go:") // the stack

			w.setClock(epoch)
			require.Equal(t, []string{body("A")}, serve(t, w, 1))
			require.EqualValues(t, 1, w.counter("adsidecar.internal"))
		})
	}
}

func TestAPanicAtTheStartFailsIt(t *testing.T) {
	w := newNative(t)
	require.True(t, w.push(us(t, "A")))
	require.False(t, w.filter.Configure(9, 1), "a context that was never created")
	require.Len(t, w.logs(abi.Critical), 1)
	require.Contains(t, w.logs(abi.Critical)[0], "index refused: panic: ")
	require.Equal(t, []string{body("A")}, serve(t, w, 1))
}

func TestARequestOfAnUnknownPluginIs500(t *testing.T) {
	onEach(t, func(t *testing.T, w *worker) {
		require.True(t, w.push(us(t, "A")))
		w.plugins[0] = 99
		requireInternal(t, request(t, w, "GET", usEng))
		w.plugins[0] = 1
		require.Equal(t, []string{body("A")}, serve(t, w, 1))
	})
}

func TestARequestWithoutMethodOrPathIsTheHostsFault(t *testing.T) {
	tests := map[string]struct {
		headers [][2]string
		want    string
	}{
		"no headers": {nil, "read :method: "},
		"no method":  {[][2]string{{":path", usEng}}, "read :method: "},
		"no path":    {[][2]string{{":method", "GET"}}, "read :path: "},
	}
	onEach(t, func(t *testing.T, w *worker) {
		require.True(t, w.push(us(t, "A")))
		for name, tc := range tests {
			t.Run(name, func(t *testing.T) {
				id, before := w.open(), w.counter("adsidecar.internal")
				action, r := w.ask(id, tc.headers)
				require.Equal(t, abi.Pause, action)
				requireInternal(t, r)
				logged := w.logs(abi.Error)
				require.Contains(t, logged[len(logged)-1], tc.want)
				require.EqualValues(t, 1, w.counter("adsidecar.internal")-before)
			})
		}
		require.Equal(t, []string{body("A")}, serve(t, w, 1))
	})
}

func TestAHostThatRefusesACall(t *testing.T) {
	tests := map[string]struct {
		call  string
		after bool // after the start
		check func(t *testing.T, w *worker)
	}{
		"a reply: the request goes to its route, and is not left hanging": {"proxy_send_local_response", true, func(t *testing.T, w *worker) {
			action, r := w.ask(w.open(), [][2]string{{":method", "GET"}, {":path", usEng}})
			require.Equal(t, abi.Continue, action)
			require.Nil(t, r)
			require.EqualValues(t, 1, w.counter("adsidecar.internal"))
			require.EqualValues(t, 0, w.counter("adsidecar.served"))
			require.Len(t, w.logs(abi.Error), 2)
		}},
		"a count: the request does not notice": {"proxy_increment_metric", true, func(t *testing.T, w *worker) {
			require.Equal(t, []string{body("A")}, serve(t, w, 1))
			require.Contains(t, w.logs(abi.Error)[0], "count: ")
		}},
		"a gauge: the request does not notice": {"proxy_record_metric", true, func(t *testing.T, w *worker) {
			require.Equal(t, []string{body("A")}, serve(t, w, 1))
			require.Contains(t, w.logs(abi.Error)[0], "set gauges: ")
		}},
		"a metric's definition: the start fails": {"proxy_define_metric", false, func(t *testing.T, w *worker) {
			require.False(t, w.push(us(t, "A")))
			require.Contains(t, w.logs(abi.Critical)[0], "define metric")
		}},
		"the configuration: the start fails": {"proxy_get_buffer_bytes", false, func(t *testing.T, w *worker) {
			require.False(t, w.push(us(t, "A")))
			require.Contains(t, w.logs(abi.Critical)[0], "index refused: ")
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *worker) {
				if tc.after {
					require.True(t, w.push(us(t, "A")))
				}
				w.refused[tc.call] = true
				tc.check(t, w)
			})
		})
	}
}

func TestAClockThatFailsIsTheHostsFault(t *testing.T) {
	w := newNative(t)
	require.True(t, w.push(us(t, "A")))
	w.refused["clock_time_get"] = true
	requireInternal(t, request(t, w, "GET", usEng))
	require.Equal(t, []string{"ad request: read the clock: the host failed"}, w.logs(abi.Error))
}

func TestHooksOfTheTestBuild(t *testing.T) {
	hooked := func(t *testing.T, w *worker, name, value string) (*reply, error) {
		id := w.open()
		w.requests[id].headers = [][2]string{{":method", "GET"}, {":path", usEng}, {name, value}}
		w.active = id
		g, ok := w.filter.(*guest)
		require.True(t, ok)
		_, err := g.try("proxy_on_request_headers", uint64(id), 3, 1)
		return w.requests[id].reply, err
	}
	t.Run("the clock of a request", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.True(t, w.push(windows(t)))
		for _, tc := range []struct {
			at string
			ad string
		}{{"2027-05-05T00:59:59Z", ""}, {"2027-05-05T01:00:00Z", "day"}, {"2027-05-05T13:59:59Z", "day"}, {"2027-05-05T14:00:00Z", ""}} {
			at, err := time.Parse(time.RFC3339, tc.at)
			require.NoError(t, err)
			r, err := hooked(t, w, "x-test-unix", strconv.FormatInt(at.Unix(), 10))
			require.NoError(t, err)
			requireAd(t, tc.ad, r)
		}
		requireAd(t, "", request(t, w, "GET", usEng)) // the clock itself has not moved from hour 0
	})
	t.Run("a panic that the filter survives", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.True(t, w.push(us(t, "A")))
		for range 3 {
			r, err := hooked(t, w, "x-test-panic", "go")
			require.NoError(t, err)
			requireInternal(t, r)
		}
		require.EqualValues(t, 3, w.counter("adsidecar.internal"))
		require.Equal(t, []string{body("A")}, serve(t, w, 1))
	})
	t.Run("a failure that ends the VM", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.True(t, w.push(us(t, "A")))
		r, err := hooked(t, w, "x-test-panic", "trap")
		require.Error(t, err)
		require.Nil(t, r)
	})
	t.Run("an index that is refused", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.False(t, w.push(buildIndex(t, entry{"zz/zzz", nil, allDay("A")})))
		require.Equal(t, []string{"index refused: test hook: index refused"}, w.logs(abi.Critical))
	})
	t.Run("none of them in the module for players", func(t *testing.T) {
		w := newModule(t, builtModule)
		require.True(t, w.push(buildIndex(t, entry{"us/eng", nil, allDay("A")}, entry{"zz/zzz", nil, allDay("Z")})))
		for name, value := range map[string]string{"x-test-unix": "x", "x-test-panic": "trap"} {
			r, err := hooked(t, w, name, value)
			require.NoError(t, err)
			requireAd(t, "A", r)
		}
	})
}
