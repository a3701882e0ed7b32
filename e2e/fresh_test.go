package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// openAfterCompile is how long after the module's compilation the listener may take to answer.
const openAfterCompile = 2 * time.Second

// TestNoIndexYet: an Envoy that has no index answers in a defined way, whatever of the control plane there is.
func TestNoIndexYet(t *testing.T) {
	source, err := stack.StartSource(stack.SourceConfig{Body: document(t)})
	require.NoError(t, err)
	t.Cleanup(source.Close)
	source.SetMode(stack.SourceFails)
	s := start(t, stack.Options{Source: source, NoControlPlane: true, Envoy: stack.EnvoyOptions{NoWait: true}, Concurrency: 2})
	dynamic := s.Envoy()

	t.Run("no control plane: an Envoy that takes its listener from there waits, with its port closed, and opens it once one is up", func(t *testing.T) {
		askedInVain(t, dynamic, 2)
		_, err := dynamic.Do(t.Context(), http.MethodGet, "/health", "", nil)
		require.ErrorContains(t, err, "connection refused")
		require.NoError(t, s.ControlPlane().Start(deadline(t, 60*time.Second)))
		up := time.Now()
		asked(t, dynamic, s.Token(), stack.AdPath("us", "eng"), wantUnavailable)
		compiled := logTime(t, dynamic, up, "no index yet")
		t.Logf("it answered %s after the control plane was up, %s after the module was compiled", time.Since(up).Round(time.Millisecond), time.Since(compiled).Round(time.Millisecond))
	})
	t.Run("a control plane without an index: a new Envoy opens its listener within 2 s of the module's compilation and answers 503", func(t *testing.T) {
		requireNotReady(t, s.ControlPlane())
		require.NoError(t, dynamic.Stop())
		began, watch := time.Now(), stack.StartStopwatch()
		require.NoError(t, dynamic.Start(t.Context()))
		met := firstUnavailable(t, s, dynamic)
		open := time.Now()
		compiling, compiled := logTime(t, dynamic, began, "initializing init manager"), logTime(t, dynamic, began, "no index yet")
		t.Logf("from exec to the first 503: %s; the module's compilation took %s of it, and what came after it %s; before that: %s",
			open.Sub(began).Round(time.Millisecond), compiled.Sub(compiling).Round(time.Millisecond), open.Sub(compiled).Round(time.Millisecond), met)
		require.LessOrEqual(t, open.Sub(compiled)-watch.Starved(), openAfterCompile)
		unavailable(t, s, dynamic)
	})
	t.Run("an index without ads is something else: 404", func(t *testing.T) {
		source.SetBody([]byte(`{"ads":[]}`))
		asked(t, dynamic, s.Token(), stack.AdPath("us", "eng"), wantStatus(404))
		requireError(t, get(t, s, "?country=us&lang=eng"), 404, "no_ad_available", "")
	})
	t.Run("no control plane: a static Envoy opens its listener within 2 s of the module's compilation and answers 503", func(t *testing.T) {
		s.ControlPlane().Kill()
		began, watch := time.Now(), stack.StartStopwatch()
		static, err := s.AddEnvoy(t.Context(), stack.EnvoyOptions{Static: true, NoWait: true})
		require.NoError(t, err)
		met := firstUnavailable(t, s, static)
		open := time.Now()
		compiling, compiled := logTime(t, static, began, "loading 1 listener(s)"), logTime(t, static, began, "no index yet")
		t.Logf("from the bootstrap's making to the first 503: %s; the module's compilation took %s of it, and what came after it %s; before that: %s",
			open.Sub(began).Round(time.Millisecond), compiled.Sub(compiling).Round(time.Millisecond), open.Sub(compiled).Round(time.Millisecond), met)
		require.LessOrEqual(t, open.Sub(compiled)-watch.Starved(), openAfterCompile)
		unavailable(t, s, static)

		require.NoError(t, s.ControlPlane().Start(deadline(t, 60*time.Second)))
		took := asked(t, static, s.Token(), stack.AdPath("us", "eng"), wantStatus(404))
		t.Logf("it had the index %s after a control plane was up", took.Round(time.Millisecond))
	})
}

// TestStaticWithIndex: an Envoy that carries an index in its bootstrap serves without a control plane, and takes updates when there is one.
func TestStaticWithIndex(t *testing.T) {
	e := newEditions("in-the-bootstrap")
	s := start(t, stack.Options{
		Campaigns: e.document(t), NoControlPlane: true, Concurrency: 2, Envoy: stack.EnvoyOptions{Static: true, WithIndex: true},
	})
	t.Run("with no control plane up it serves the source's document of when its bootstrap was made", func(t *testing.T) {
		asked(t, s.Envoy(), s.Token(), stack.AdPath("us", "eng"), wantAd("in-the-bootstrap"))
	})
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: e.ask})
	e.connections(len(l.conns))
	t.Run("it takes updates when a control plane is up", func(t *testing.T) {
		askedInVain(t, s.Envoy(), 8) // its backoff has grown by now
		require.NoError(t, s.ControlPlane().Start(deadline(t, 60*time.Second)))
		up := stack.StartStopwatch()
		waitStatus(t, s.ControlPlane(), inSync("envoy"))
		t.Logf("connected %s after the control plane was up", up.Took().Round(time.Millisecond))
		require.LessOrEqual(t, up.Took(), backoffAllowance)
		e.announce("from-the-control-plane")
		began := stack.StartStopwatch()
		s.Source.SetBody(e.document(t))
		require.NoError(t, e.wait(deadline(t, 60*time.Second)), l)
		require.LessOrEqual(t, began.Took(), stackPoll+allowance)
	})
	t.Run("with the control plane and the source down a bootstrap has the last good document from disk", func(t *testing.T) {
		s.ControlPlane().Kill()
		s.Source.SetMode(stack.SourceFails)
		fresh, err := s.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{Static: true, WithIndex: true, Concurrency: 1})
		require.NoError(t, err)
		asked(t, fresh, s.Token(), stack.AdPath("us", "eng"), wantAd("from-the-control-plane"))
	})
	l.unharmed(t)
}

// askedInVain returns when an Envoy has failed n times to reach a control plane since its start.
func askedInVain(t *testing.T, e *stack.Envoy, n float64) {
	t.Helper()
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		stats, err := e.Stats(ctx)
		if err != nil {
			return err
		}
		if got := stats[`envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="xds"}`]; got < n {
			return fmt.Errorf("%v attempts", got)
		}
		return nil
	})
}

// firstUnavailable asks without a pause until the answer is campaigns_unavailable, and tells what it got before.
func firstUnavailable(t *testing.T, s *stack.Stack, e *stack.Envoy) string {
	t.Helper()
	ctx := deadline(t, 2*time.Minute)
	var met []string
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for {
		a, err := e.Do(ctx, http.MethodGet, stack.AdPath("us", "eng"), "Bearer "+s.Token(), nil)
		was := "closed"
		if err == nil {
			if wantUnavailable(a) == nil {
				return strings.Join(met, ", ")
			}
			was = a.String()
		}
		if len(met) == 0 || met[len(met)-1] != was {
			met = append(met, was)
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			require.FailNow(t, "not opened", "%v", met)
		}
	}
}

func wantUnavailable(a *stack.Answer) error {
	if a.Status != 503 || a.Code() != "campaigns_unavailable" || a.Header.Get("Retry-After") == "" {
		return fmt.Errorf("want campaigns_unavailable with Retry-After, got %s", a)
	}
	return nil
}

// unavailable checks what an Envoy without an index answers.
func unavailable(t *testing.T, s *stack.Stack, e *stack.Envoy) {
	t.Helper()
	for range 10 {
		a, err := e.Do(t.Context(), http.MethodGet, stack.AdPath("us", "eng"), "Bearer "+s.Token(), nil)
		require.NoError(t, err)
		requireError(t, a, 503, "campaigns_unavailable", "")
	}
	a, err := e.Do(t.Context(), http.MethodGet, "/ad_request?country=usa&lang=eng", "Bearer "+s.Token(), nil)
	require.NoError(t, err)
	requireError(t, a, 400, "invalid_parameter", "country") // a wrong request is wrong without an index too
	a, err = e.Do(t.Context(), http.MethodGet, "/health", "", nil)
	require.NoError(t, err)
	require.Equal(t, 200, a.Status)
}
