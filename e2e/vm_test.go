package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// Series of Envoy's statistics about the filter's VMs.
const (
	vmReloaded = "envoy_wasm_adsidecar_vm_reload_success{}"
	vmFailed   = "envoy_wasm_adsidecar_vm_reload_failure{}"
	vmBackoff  = "envoy_wasm_adsidecar_vm_reload_backoff{}"
	vmServed   = "adsidecar_served{}"
	vmInternal = "adsidecar_internal{}"
)

// reloadBackoff is how long Envoy waits at most before it replaces a VM that has just been replaced: 10 ms, and half of it at random.
const reloadBackoff = 15 * time.Millisecond

// The faults that the module with test hooks has on demand.
var (
	faultGo   = map[string]string{"x-test-panic": "go"}   // a panic that the filter recovers from
	faultTrap = map[string]string{"x-test-panic": "trap"} // one that ends the VM
)

// TestFilterFault makes the filter fail while requests run on other connections.
func TestFilterFault(t *testing.T) {
	workers := map[string]int{"with one worker": 1, "with two workers": 2}
	for name, concurrency := range workers {
		t.Run(name, func(t *testing.T) {
			ids := []string{"a", "b", "c"}
			var ads []campaign
			for _, id := range ids {
				ads = append(ads, ad(id, "us", "eng"))
			}
			s := served(t, stack.Options{Module: hooks(t), Campaigns: document(t, ads...), Concurrency: concurrency})
			f := &faulty{s: s, ids: ids}
			// Connections of our own, without requests of their own.
			f.idle = startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Pause: time.Hour})
			f.conn = f.idle.conns[0]
			f.others = startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd(ids...))})
			before := envoyStats(t, s.Envoy())

			t.Run("a panic is a 500, and the VM stays", f.panics)
			t.Run("the end of the VM costs that one request, and the next is served", f.traps)
			t.Run("four ends in a row with requests between cost one request each", f.trapsInARow)
			f.others.unharmed(t)
			t.Run("the index is served as before, in turn", f.rotates)
			after := envoyStats(t, s.Envoy())
			t.Logf("VMs: %v reloaded, %v not, %v in backoff", after[vmReloaded]-before[vmReloaded], after[vmFailed]-before[vmFailed], after[vmBackoff]-before[vmBackoff])
			t.Run("counters and gauges go on", func(t *testing.T) {
				require.EqualValues(t, 3, after["adsidecar_ads{}"])
				require.Equal(t, before["adsidecar_source_time{}"], after["adsidecar_source_time{}"])
				require.EqualValues(t, f.panicked, after[vmInternal]-before[vmInternal])
				require.EqualValues(t, f.trapped, after[vmReloaded]-before[vmReloaded])
				require.Zero(t, after[vmFailed])
				require.GreaterOrEqual(t, after[vmServed]-before[vmServed], float64(f.served))
			})
			t.Run("ends without a pause are felt by their worker alone, and for no longer than the backoff", f.burst)
			t.Run("a new index is taken by the new VMs", func(t *testing.T) {
				s.Source.SetBody(document(t, ad("new", "us", "eng")))
				for _, c := range f.idle.conns {
					eventually(t, 30*time.Second, func(context.Context) error {
						a, err := f.idle.do(c, nil)
						if err != nil {
							return err
						}
						return wantAd("new")(a)
					})
				}
			})
		})
	}
}

// faulty is an Envoy with faults on demand, and a connection to make them on.
type faulty struct {
	s      *stack.Stack
	ids    []string
	idle   *load
	conn   *loadConn
	others *load

	panicked, trapped, served int
}

// send sends a request on the connection; it must be answered, in whatever way.
func (f *faulty) send(t *testing.T, headers map[string]string) *stack.Answer {
	t.Helper()
	a, err := f.idle.do(f.conn, headers)
	require.NoError(t, err)
	return a
}

// ok sends a request that must be served.
func (f *faulty) ok(t *testing.T) string {
	t.Helper()
	got, err := f.send(t, nil).Ad()
	require.NoError(t, err)
	require.Contains(t, f.ids, got.ID)
	f.served++
	return got.ID
}

func (f *faulty) panics(t *testing.T) {
	before := envoyStats(t, f.s.Envoy())
	for range 20 {
		requireError(t, f.send(t, faultGo), http.StatusInternalServerError, "internal", "")
		f.panicked++
		f.ok(t)
	}
	after := envoyStats(t, f.s.Envoy())
	require.Equal(t, before[vmReloaded], after[vmReloaded])
	require.EqualValues(t, 20, after[vmInternal]-before[vmInternal])
	f.others.progress(t, 5)
}

// trap ends the VM of the connection's worker.
func (f *faulty) trap(t *testing.T) {
	t.Helper()
	a := f.send(t, faultTrap)
	requireError(t, a, http.StatusServiceUnavailable, "upstream_unavailable", "")
	f.trapped++
}

func (f *faulty) traps(t *testing.T) {
	began := time.Now()
	f.trap(t)
	f.ok(t)
	t.Logf("the request that ended the VM and the next, which made a new one: %s", time.Since(began).Round(time.Millisecond))
	f.others.progress(t, 5)
}

// trapsInARow leaves the least time between two ends that Envoy gives a new VM at once for: see envoy.AdsResource's backoff.
func (f *faulty) trapsInARow(t *testing.T) {
	for range 4 {
		f.trap(t)
		for reloaded := time.Now(); time.Since(reloaded) < 2*reloadBackoff; {
			f.ok(t)
		}
	}
	f.others.progress(t, 5)
}

// burst ends the VM again and again without a pause. Within the backoff there is no new VM, so requests of this worker fail; those of
// others do not, and the worker is back when the backoff is over.
func (f *faulty) burst(t *testing.T) {
	other := startLoad(t, f.s.Envoy(), loadOptions{Token: f.s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd(f.ids...)), Pause: time.Millisecond})
	for range 20 {
		require.Equal(t, http.StatusServiceUnavailable, f.send(t, faultTrap).Status)
	}
	watch := stack.StartStopwatch()
	eventually(t, time.Minute, func(context.Context) error { return wantAd(f.ids...)(f.send(t, nil)) })
	back := watch.Took()
	require.LessOrEqual(t, back, time.Second)
	other.progress(t, 5)
	other.halt()
	other.ended.Wait()
	failed := 0
	for _, c := range other.conns {
		failed += c.failed
		if c.worker != f.conn.worker {
			require.Zero(t, c.failed, other)
		}
	}
	t.Logf("20 ends of the VM without a pause: served again %s after the last; on the same worker %d requests of others met the backoff, of %d in all", back.Round(time.Millisecond), failed, other.requests)
}

// rotates checks the turns of a worker that nobody else asks.
func (f *faulty) rotates(t *testing.T) {
	seen := map[string]int{}
	for range 10 * len(f.ids) {
		seen[f.ok(t)]++
	}
	for _, id := range f.ids {
		require.Equal(t, 10, seen[id], "%v", seen)
	}
}
