package plugin

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/stretchr/testify/require"

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
	w, ok := newNative(t).(*emulated)
	require.True(t, ok)
	require.True(t, w.push(us(t, "A")))
	w.native.now = func() time.Time { panic("no clock") }
	requireInternal(t, request(t, w, "GET", usEng))
	require.EqualValues(t, 1, w.counter("adsidecar.internal"))
	require.Len(t, w.logs("error"), 1)
	require.Contains(t, w.logs("error")[0], "ad request: panic: no clock\n")
	require.Contains(t, w.logs("error")[0], "request.go:") // the stack

	w.native.now = time.Now
	require.Equal(t, []string{body("A")}, serve(t, w, 1))
	require.EqualValues(t, 1, w.counter("adsidecar.internal"))
}

func TestAPanicAtTheStartFailsIt(t *testing.T) {
	w, ok := newNative(t).(*emulated)
	require.True(t, ok)
	require.True(t, w.push(us(t, "A")))
	broken := w.native.NewPluginContext(9)
	w.native.config = func() ([]byte, error) { panic("no configuration") }
	require.Equal(t, types.OnPluginStartStatusFailed, broken.OnPluginStart(0))
	require.Equal(t, []string{"index refused: panic: no configuration"}, w.logs("critical"))
	require.Equal(t, []string{body("A")}, serve(t, w, 1))
}

func TestAConfigurationThatCannotBeReadFailsTheStart(t *testing.T) {
	w, ok := newNative(t).(*emulated)
	require.True(t, ok)
	context := w.native.NewPluginContext(9)
	w.native.config = func() ([]byte, error) { return nil, errors.New("host is ill") }
	require.Equal(t, types.OnPluginStartStatusFailed, context.OnPluginStart(0))
	require.Equal(t, []string{"index refused: host is ill"}, w.logs("critical"))
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
	onEach(t, workers, func(t *testing.T, w worker) {
		require.True(t, w.push(us(t, "A")))
		for name, tc := range tests {
			t.Run(name, func(t *testing.T) {
				id, before := w.open(), w.counter("adsidecar.internal")
				action, r := w.ask(id, tc.headers)
				require.Equal(t, types.ActionPause, action)
				requireInternal(t, r)
				logged := w.logs("error")
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
		check func(t *testing.T, w *moduleWorker)
	}{
		"a reply: the request goes to its route, and is not left hanging": {"proxy_send_local_response", true, func(t *testing.T, w *moduleWorker) {
			action, r := w.ask(w.open(), [][2]string{{":method", "GET"}, {":path", usEng}})
			require.Equal(t, types.ActionContinue, action)
			require.Nil(t, r)
			require.EqualValues(t, 1, w.counter("adsidecar.internal"))
			require.EqualValues(t, 0, w.counter("adsidecar.served"))
			require.Len(t, w.logs("error"), 2)
		}},
		"a count: the request does not notice": {"proxy_increment_metric", true, func(t *testing.T, w *moduleWorker) {
			require.Equal(t, []string{body("A")}, serve(t, w, 1))
			require.Contains(t, w.logs("error")[0], "count: panic: ")
		}},
		"a gauge: the request does not notice": {"proxy_record_metric", true, func(t *testing.T, w *moduleWorker) {
			require.Equal(t, []string{body("A")}, serve(t, w, 1))
			require.Contains(t, w.logs("error")[0], "set gauges: panic: ")
		}},
		"a metric's definition: the start fails": {"proxy_define_metric", false, func(t *testing.T, w *moduleWorker) {
			require.False(t, w.push(us(t, "A")))
			require.Contains(t, w.logs("critical")[0], "define metric")
		}},
		"the configuration: the start fails": {"proxy_get_buffer_bytes", false, func(t *testing.T, w *moduleWorker) {
			require.False(t, w.push(us(t, "A")))
			require.Contains(t, w.logs("critical")[0], "index refused: ")
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newModule(t, strippedModule)
			if tc.after {
				require.True(t, w.push(us(t, "A")))
			}
			w.refused[tc.call] = true
			tc.check(t, w)
		})
	}
}

func TestHooksOfTheTestBuild(t *testing.T) {
	hooked := func(w *moduleWorker, name, value string) (*reply, error) {
		id := w.open()
		w.requests[id].headers = [][2]string{{":method", "GET"}, {":path", usEng}, {name, value}}
		_, err := w.call("proxy_on_request_headers", id, 3, 1)
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
			r, err := hooked(w, "x-test-unix", strconv.FormatInt(at.Unix(), 10))
			require.NoError(t, err)
			requireAd(t, tc.ad, r)
		}
		requireAd(t, "", request(t, w, "GET", usEng)) // the clock itself has not moved from hour 0
	})
	t.Run("a panic that the filter survives", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.True(t, w.push(us(t, "A")))
		for range 3 {
			r, err := hooked(w, "x-test-panic", "go")
			require.NoError(t, err)
			requireInternal(t, r)
		}
		require.EqualValues(t, 3, w.counter("adsidecar.internal"))
		require.Equal(t, []string{body("A")}, serve(t, w, 1))
	})
	t.Run("a failure that ends the VM", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.True(t, w.push(us(t, "A")))
		r, err := hooked(w, "x-test-panic", "trap")
		require.Error(t, err)
		require.Nil(t, r)
	})
	t.Run("an index that is refused", func(t *testing.T) {
		w := newModule(t, hookedModule)
		require.False(t, w.push(buildIndex(t, entry{"zz/zzz", nil, allDay("A")})))
		require.Equal(t, []string{"index refused: test hook: index refused"}, w.logs("critical"))
	})
	t.Run("none of them in the module for players", func(t *testing.T) {
		w := newModule(t, strippedModule)
		require.True(t, w.push(buildIndex(t, entry{"us/eng", nil, allDay("A")}, entry{"zz/zzz", nil, allDay("Z")})))
		for name, value := range map[string]string{"x-test-unix": "x", "x-test-panic": "trap"} {
			r, err := hooked(w, name, value)
			require.NoError(t, err)
			requireAd(t, "A", r)
		}
	})
}
