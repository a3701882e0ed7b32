package plugin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/filter/abi"
	"adsidecar/filter/adindex"
)

const usEng = "/ad_request?country=us&lang=eng"

// serve asks n times for us/eng and returns the bodies.
func serve(t *testing.T, w *worker, n int) []string {
	t.Helper()
	var bodies []string
	for range n {
		r := request(t, w, "GET", usEng)
		require.EqualValues(t, 200, r.status, r.body)
		bodies = append(bodies, r.body)
	}
	return bodies
}

// serveUntil asks for us/eng until the ad comes.
func serveUntil(t *testing.T, w *worker, ad string) {
	t.Helper()
	for range 100 {
		if serve(t, w, 1)[0] == body(ad) {
			return
		}
	}
	require.Fail(t, "the ad never comes", ad)
}

// us is an index with these ads for us/eng, and another key before and after it.
func us(t *testing.T, ads ...string) []byte {
	t.Helper()
	return buildIndex(t, entry{"at/deu", nil, allDay("X")}, entry{"us/eng", []string{"us/en"}, allDay(ads...)}, entry{"us/spa", nil, allDay("Y", "Z")})
}

func TestPush(t *testing.T) {
	five := []string{"A", "B", "C", "D", "E"}
	tests := map[string]func(t *testing.T, w *worker){
		"a removed ad is never served again": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, "A", "B", "C")))
			require.Contains(t, serve(t, w, 3), body("B"))
			require.True(t, w.push(us(t, "A", "C")))
			requireCycle(t, []string{"A", "C"}, serve(t, w, 50))
		},
		"the cycle goes on where it was": func(t *testing.T, w *worker) {
			var all []string
			for range 50 {
				require.True(t, w.push(us(t, five...)))
				all = append(all, serve(t, w, 3)...)
			}
			requireCycle(t, five, all)
		},
		"the turns that the old index serves before the new one begins count": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 1)
			for range 20 {
				require.True(t, w.push(us(t, five...)))
				w.restore(len(all) - 1) // the workers take a new configuration one after the other
				all = append(all, serve(t, w, 1)...)
				w.restore(len(all) - 1)
			}
			requireCycle(t, five, all)
		},
		"a key that moves in the index keeps its place in the cycle": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			require.True(t, w.push(buildIndex(t, entry{"us/eng", nil, allDay(five...)})))
			all = append(all, serve(t, w, 2)...)
			require.True(t, w.push(buildIndex(t, entry{"ad/cat", nil, allDay("M")}, entry{"ae/ara", nil, allDay("N")}, entry{"us/eng", nil, allDay(five...)})))
			all = append(all, serve(t, w, 2)...)
			requireCycle(t, five, all)
		},
		"a position is taken mod the new cycle's length": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, "0", "1", "2", "3")))
			serveUntil(t, w, "2")
			require.True(t, w.push(us(t, "0", "1")))
			require.Equal(t, []string{body("1"), body("0"), body("1")}, serve(t, w, 3)) // 3 mod 2
			require.True(t, w.push(us(t, "0", "1", "2", "3")))
			require.Equal(t, []string{body("0"), body("1"), body("2"), body("3")}, serve(t, w, 4)) // 2 mod 2, not 2 nor 6
		},
		"a push without an ad for the key keeps the key's place": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			require.True(t, w.push(us(t)))
			require.EqualValues(t, 404, request(t, w, "GET", usEng).status)
			require.True(t, w.push(us(t, five...)))
			requireCycle(t, five, append(all, serve(t, w, 2)...))
		},
		"an index that is taken away and comes back keeps the places": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			require.True(t, w.push(nil))
			require.EqualValues(t, 503, request(t, w, "GET", usEng).status)
			require.True(t, w.push(us(t, five...)))
			requireCycle(t, five, append(all, serve(t, w, 2)...))
		},
		"a request under way when a newer index takes over gets an ad of its own": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, "old")))
			serve(t, w, 1)
			late := w.open()
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			require.Equal(t, body("old"), answerOf(t, w, late, "GET", usEng).body)
			requireCycle(t, five, append(all, serve(t, w, 3)...))
			require.EqualValues(t, 8, gauge(t, w, adsGauge))
		},
		"the first request of an index may come after its successor's": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, "old")))
			late := w.open()
			require.True(t, w.push(us(t, five...)))
			serveUntil(t, w, "B")
			require.Equal(t, body("old"), answerOf(t, w, late, "GET", usEng).body)
			require.EqualValues(t, 8, gauge(t, w, adsGauge))
			require.Equal(t, []string{body("C")}, serve(t, w, 1))
			require.True(t, w.push(us(t, five...)))
			require.Equal(t, []string{body("D")}, serve(t, w, 1)) // what the late request took is not what is carried on
		},
		"an index that comes back while its context lives serves and shows again": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			require.True(t, w.push(us(t, append(five, "F")...)))
			require.Contains(t, serve(t, w, 6), body("F"))
			require.EqualValues(t, 9, gauge(t, w, adsGauge)) // six and three of other keys
			w.restore(0)
			all = append(all, serve(t, w, 3)...)
			require.NotContains(t, all, body("F"))
			requireCycle(t, five, all[2:])
			require.EqualValues(t, 8, gauge(t, w, adsGauge))
		},
		"an index is not where the headers of later requests go": func(t *testing.T, w *worker) {
			for _, ad := range five {
				require.True(t, w.push(us(t, ad)))
				require.Equal(t, body(ad), request(t, w, "GET", padded(usEng+"&x=", 1000)).body)
				require.Equal(t, []string{body(ad)}, serve(t, w, 1))
			}
		},
		"a refused index changes nothing": func(t *testing.T, w *worker) {
			require.True(t, w.push(us(t, five...)))
			all := serve(t, w, 2)
			for range 3 {
				require.False(t, w.push([]byte("no index")))
				all = append(all, serve(t, w, 2)...)
			}
			requireCycle(t, five, all)
			require.EqualValues(t, 8, gauge(t, w, adsGauge))
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { onEach(t, test) })
	}
}

func TestABadIndexFailsTheStartAndSaysWhy(t *testing.T) {
	damaged := us(t, "A")
	damaged[len(damaged)/2] ^= 1
	future := us(t, "A")
	future[4]++ // the format version follows the magic
	b := adindex.NewBuilder()
	b.AddAd(held(t, "A"))
	b.AddAd([]byte("\x00\x03\x00id"))
	bodyless, err := b.Build(sourceTime)
	require.NoError(t, err)
	tests := map[string]struct {
		config []byte
		want   string
	}{
		"an ad that is none":  {bodyless, "index refused: ad 1: an id of 3 bytes in an ad of 5"},
		"not an index":        {[]byte("us|eng={}"), "index refused: "},
		"cut off":             {us(t, "A")[:100], "index refused: "},
		"one bit is wrong":    {damaged, "checksum"},
		"a format to come":    {future, "this filter reads 2"},
		"a byte too many":     {append(us(t, "A"), 0), "length"},
		"a document, not one": {[]byte(`{"ads":[]}`), "index refused: "},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *worker) {
				require.False(t, w.push(tc.config))
				logged := w.logs(abi.Critical)
				require.Len(t, logged, 1)
				require.Contains(t, logged[0], "index refused: ")
				require.Contains(t, logged[0], tc.want)
			})
		})
	}
}

// Envoy tries each configuration in a VM of its own first. There it is the first; where it is not, it has been tried.
func TestAnIndexIsCheckedInTheFirstContextOfAVM(t *testing.T) {
	damaged := us(t, "A")
	damaged[12] ^= 1 // the checksum, which no lookup needs
	onEach(t, func(t *testing.T, w *worker) {
		require.False(t, w.push(damaged))
		require.True(t, w.push(damaged))
		require.Equal(t, []string{body("A")}, serve(t, w, 1))
		require.False(t, w.push(damaged[:100]), "what can be seen at once is")
	})
}

func TestGaugesDescribeTheIndexThatServes(t *testing.T) {
	const later = sourceTime + 60
	older := func(t *testing.T) []byte { t.Helper(); return us(t, "A") }
	newer := func(t *testing.T) []byte {
		t.Helper()
		return buildIndexAt(t, later, entry{"us/eng", nil, allDay("A", "B")})
	}
	shows := func(t *testing.T, w *worker, ads, time uint64) {
		t.Helper()
		require.Equal(t, [2]uint64{ads, time}, [2]uint64{gauge(t, w, adsGauge), gauge(t, w, sourceTimeGauge)})
	}
	undefined := func(t *testing.T, w *worker) {
		t.Helper()
		for _, name := range []string{adsGauge, sourceTimeGauge} {
			_, defined := w.gauge(name)
			require.False(t, defined, name)
		}
	}
	tests := map[string]func(t *testing.T, w *worker){
		"a context that has only started shows nothing, as the one on the main thread": func(t *testing.T, w *worker) {
			require.True(t, w.push(older(t)))
			undefined(t, w)
			require.NotEmpty(t, w.logs(abi.Info))
		},
		"the first request shows it": func(t *testing.T, w *worker) {
			require.True(t, w.push(older(t)))
			serve(t, w, 1)
			shows(t, w, 4, sourceTime)
		},
		"a request that is refused shows it too": func(t *testing.T, w *worker) {
			require.True(t, w.push(older(t)))
			require.EqualValues(t, 405, request(t, w, "POST", usEng).status)
			shows(t, w, 4, sourceTime)
		},
		"a push shows nothing before it serves": func(t *testing.T, w *worker) {
			require.True(t, w.push(older(t)))
			serve(t, w, 1)
			require.True(t, w.push(newer(t)))
			shows(t, w, 4, sourceTime)
			serve(t, w, 1)
			shows(t, w, 2, later)
		},
		"no index shows nothing": func(t *testing.T, w *worker) {
			require.True(t, w.push(nil))
			require.EqualValues(t, 503, request(t, w, "GET", usEng).status)
			undefined(t, w)
		},
		"an index that is taken away shows as zero": func(t *testing.T, w *worker) {
			require.True(t, w.push(older(t)))
			serve(t, w, 1)
			require.True(t, w.push(nil))
			shows(t, w, 4, sourceTime)
			require.EqualValues(t, 503, request(t, w, "GET", usEng).status)
			shows(t, w, 0, 0)
		},
		"an index without ads shows its time": func(t *testing.T, w *worker) {
			require.True(t, w.push(buildIndex(t)))
			require.EqualValues(t, 404, request(t, w, "GET", usEng).status)
			shows(t, w, 0, sourceTime)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { onEach(t, test) })
	}
}

func TestMetricsAreDefinedOnceForAVM(t *testing.T) {
	w := newModule(t, builtModule)
	for range 3 {
		require.True(t, w.push(us(t, "A")))
		serve(t, w, 1)
	}
	require.Equal(t, []string{
		"adsidecar.served", "adsidecar.no_ad", "adsidecar.bad_request", "adsidecar.unavailable", "adsidecar.internal",
		"adsidecar.ads", "adsidecar.source_time",
	}, w.defined)
	require.EqualValues(t, 3, w.counter("adsidecar.served"))
}

func TestContextsThatEndedAreForgotten(t *testing.T) {
	w := newNative(t)
	vm, ok := w.filter.(*VM)
	require.True(t, ok)
	for range 3 {
		require.True(t, w.push(us(t, "A")))
		late := w.open()
		answered := w.open()
		answerOf(t, w, answered, "GET", usEng)
		require.Len(t, vm.opened, 1, "a request that was answered is over")
		w.end(answered)
		require.False(t, w.push([]byte("no index")))
		require.Equal(t, [2]int{1, 1}, [2]int{len(vm.plugins), len(vm.opened)})
		w.end(late)
		w.end(w.plugins[w.current])
		require.Equal(t, [2]int{0, 0}, [2]int{len(vm.plugins), len(vm.opened)})
	}
}

func gauge(t *testing.T, w *worker, name string) uint64 {
	t.Helper()
	v, defined := w.gauge(name)
	require.True(t, defined, name)
	return v
}
