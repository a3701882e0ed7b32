package token

import (
	"context"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"adsidecar/e2e/stack"
)

func (p *pool) signNew() string {
	return p.sign(draft{header: map[string]any{"kid": newKid}, key: otherKey()})
}

func TestVerifyBeforeTheKeysWereRead(t *testing.T) {
	p := newPool(t)
	v := newVerifier(t, p.config(t))
	for range 2 {
		require.ErrorIs(t, verify(t, v, p.access(nil)), ErrUnavailable)
		require.ErrorIs(t, v.Ready(t.Context()), ErrUnavailable)
	}
	require.ErrorIs(t, verify(t, v, "x"), ErrUnauthorized, "what is no token needs no keys")
	require.Zero(t, p.requests.Load(), "it is Run that reads the first keys")

	require.NoError(t, v.keys.read(t.Context(), 0))
	require.NoError(t, v.Ready(t.Context()))
	require.NoError(t, verify(t, v, p.access(nil)))
}

func TestANewKeyIsReadOnce(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	old, fresh := p.access(nil), p.signNew()
	p.publish(map[string]*rsa.PrivateKey{kid: poolKey(), newKid: otherKey()})

	p.advance(demandInterval - time.Nanosecond)
	require.ErrorIs(t, verify(t, v, fresh), ErrUnauthorized)
	require.EqualValues(t, 1, p.requests.Load())

	p.advance(time.Nanosecond)
	for range 3 {
		require.NoError(t, verify(t, v, fresh))
		require.NoError(t, verify(t, v, old), "the old key works on")
	}
	require.EqualValues(t, 2, p.requests.Load())
}

func TestAWithdrawnKeyWorksNoLonger(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	old := p.access(nil)
	require.NoError(t, verify(t, v, old)) // and it is remembered
	p.publish(map[string]*rsa.PrivateKey{newKid: otherKey()})
	p.advance(demandInterval)
	require.NoError(t, verify(t, v, p.signNew()))
	require.ErrorIs(t, verify(t, v, old), ErrUnauthorized)
	require.NoError(t, verify(t, v, p.signNew()))
}

func TestAKeyThatIsReplacedUnderItsKidWorksNoLonger(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	old := p.access(nil)
	require.NoError(t, verify(t, v, old))
	p.publish(map[string]*rsa.PrivateKey{kid: otherKey()})
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.ErrorIs(t, verify(t, v, old), ErrUnauthorized)
	require.NoError(t, verify(t, v, p.sign(draft{key: otherKey()})))
}

func TestTheSameKeysForgetNothing(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	before := v.keys.set.Load()
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.Same(t, before, v.keys.set.Load())
}

func TestAFloodOfUnknownKidsAsksOnceIn10Seconds(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	const rounds, tokens = 7, 30
	for round := range rounds {
		for i := range tokens {
			forged := p.sign(draft{header: map[string]any{"kid": fmt.Sprintf("forged-%d-%d", round, i)}, key: otherKey()})
			require.ErrorIs(t, verify(t, v, forged), ErrUnauthorized)
			p.advance(demandInterval / tokens)
		}
	}
	// The first reading was before the first round.
	require.LessOrEqual(t, p.requests.Load(), int32(rounds))
	require.GreaterOrEqual(t, p.requests.Load(), int32(rounds-1))

	// Nor do failures make it ask more often.
	p.serve(text(500, ""))
	before := p.requests.Load()
	for range 20 {
		require.ErrorIs(t, verify(t, v, p.signNew()), ErrUnauthorized)
	}
	require.LessOrEqual(t, p.requests.Load(), before+1)
	require.NoError(t, verify(t, v, p.access(nil)))
}

func TestAllWaitForOneReading(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	p.advance(demandInterval)
	asked, release := make(chan struct{}, 100), make(chan struct{})
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		p.publish(map[string]*rsa.PrivateKey{kid: poolKey(), newKid: otherKey()})
		(*p.answer.Load())(w, r)
	})
	fresh := p.signNew()
	results := make(chan error, 50)
	for range cap(results) {
		go func() {
			_, err := v.Verify(t.Context(), fresh)
			results <- err
		}()
	}
	<-asked

	// Whoever goes, the first one even, takes nothing from the others; and known keys wait for nobody.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, fresh)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, verify(t, v, p.access(nil)))

	close(release)
	for range cap(results) {
		require.NoError(t, <-results)
	}
	require.EqualValues(t, 2, p.requests.Load())
}

func TestTheFirstToAskMayGo(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	p.advance(demandInterval)
	ctx, cancel := context.WithCancel(t.Context())
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		p.publish(map[string]*rsa.PrivateKey{newKid: otherKey()})
		(*p.answer.Load())(w, r)
	})
	_, _ = v.Verify(ctx, p.signNew()) // it may have its answer or not
	require.NoError(t, v.keys.read(t.Context(), demandInterval))
	require.NoError(t, verify(t, v, p.signNew()))
	require.EqualValues(t, 2, p.requests.Load())
}

func TestABadAnswerKeepsTheKeys(t *testing.T) {
	for name, answer := range badAnswers() {
		t.Run(name, func(t *testing.T) {
			p := newPool(t)
			cfg := p.config(t)
			cfg.JWKSURL += "?secret=hunter2"
			v := newVerifier(t, cfg)
			p.serve(answer)
			require.NoError(t, v.keys.read(t.Context(), 0))
			err := v.Ready(t.Context())
			require.ErrorIs(t, err, ErrUnavailable)
			require.NotContains(t, err.Error(), "hunter2")
			require.ErrorIs(t, verify(t, v, p.access(nil)), ErrUnavailable)

			p.publish(map[string]*rsa.PrivateKey{kid: poolKey()})
			require.NoError(t, v.keys.read(t.Context(), 0))
			require.NoError(t, v.Ready(t.Context()))

			p.serve(answer)
			p.advance(demandInterval)
			require.ErrorIs(t, verify(t, v, p.signNew()), ErrUnauthorized)
			require.EqualValues(t, 3, p.requests.Load(), "no redirect is followed, no try is repeated")
			require.NoError(t, verify(t, v, p.access(nil)))
			require.NoError(t, v.Ready(t.Context()))
		})
	}
}

func TestAnIssuerThatIsDown(t *testing.T) {
	is, err := stack.StartIssuer(issuer)
	require.NoError(t, err)
	t.Cleanup(is.Close)
	moved := &clock{}
	moved.nanos.Store(time.Now().UnixNano())
	v := newVerifier(t, Config{
		Issuer: issuer, JWKSURL: is.JWKSURL(), ClientIDs: []string{client}, Uses: []string{"access", "id"}, Now: moved.now,
	})
	is.Stop()
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.ErrorIs(t, v.Ready(t.Context()), ErrUnavailable)

	require.NoError(t, is.Start())
	require.NoError(t, v.keys.read(t.Context(), 0))
	for _, token := range []stack.Token{stack.Access(client), stack.ID(client), stack.ClientCredentials(client)} {
		signed, err := is.Sign(token)
		require.NoError(t, err)
		require.NoError(t, verify(t, v, "Bearer "+signed))
	}

	_, err = is.Rotate()
	require.NoError(t, err)
	fresh, err := is.Sign(stack.Access(client))
	require.NoError(t, err)
	is.Stop()
	moved.advance(demandInterval)
	require.ErrorIs(t, verify(t, v, fresh), ErrUnauthorized)
	require.NoError(t, is.Start())
	moved.advance(demandInterval)
	require.NoError(t, verify(t, v, fresh))
}

func TestAnIssuerThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := newTestKeys(t, nil)
		v := &Verifier{issuer: issuer, keys: m, now: time.Now, metrics: m.metrics}
		m.fetch = func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		require.NoError(t, m.read(t.Context(), 0))
		require.Equal(t, fetchTimeout, time.Since(began))
		require.ErrorIs(t, v.Ready(t.Context()), context.DeadlineExceeded)
	})
}

func TestAHangingServerIsLetGo(t *testing.T) {
	p := newPool(t)
	handler, release := hang()
	defer release()
	p.serve(handler)
	f := newFetcher(mustURL(t, p.url+"?secret=hunter2"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.fetch(ctx)
	require.EqualError(t, err, "get "+p.url+": timed out after 5s")
}

func TestTheLimitOfAJWKSIsExact(t *testing.T) {
	p := newPool(t)
	f := newFetcher(mustURL(t, p.url), nil)
	whole := marshal(map[string]any{"keys": []any{jwkOf(kid, poolKey())}})
	p.serve(text(200, whole+strings.Repeat(" ", maxJWKSBytes-len(whole))))
	body, err := f.fetch(t.Context())
	require.NoError(t, err)
	require.Len(t, body, maxJWKSBytes)
	p.serve(text(200, whole+strings.Repeat(" ", maxJWKSBytes-len(whole)+1)))
	_, err = f.fetch(t.Context())
	require.EqualError(t, err, "get "+p.url+": larger than 1048576 bytes")
	p.serve(badAnswers()["a body without end"])
	_, err = f.fetch(t.Context())
	require.EqualError(t, err, "get "+p.url+": larger than 1048576 bytes")
}

func TestKeysOverTLS(t *testing.T) {
	body := marshal(map[string]any{"keys": []any{jwkOf(kid, poolKey())}})
	server := httptest.NewUnstartedServer(text(200, body))
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	server.StartTLS()
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(path, ca, 0o600))
	cfg := Config{Issuer: issuer, JWKSURL: server.URL, ClientIDs: []string{client}, Uses: []string{"id"}}

	v := newVerifier(t, cfg)
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.ErrorContains(t, v.Ready(t.Context()), "certificate")

	cfg.CAFile = path
	v = newVerifier(t, cfg)
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.NoError(t, v.Ready(t.Context()))

	require.NoError(t, os.WriteFile(path, []byte("no certificate"), 0o600))
	_, err := New(cfg)
	require.ErrorContains(t, err, "ca file: no certificate in")
}

// readings are the times at which a fake issuer was asked, from the start.
type readings struct {
	mu    sync.Mutex
	times []time.Duration
}

func (r *readings) all() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Duration(nil), r.times...)
}

// newTestKeys are keys of an issuer that answers with answer, in a bubble of synctest, without jitter.
func newTestKeys(t *testing.T, answer func(asked int) ([]byte, error)) (*readings, *keys) {
	t.Helper()
	m, err := newMetrics("", nil)
	require.NoError(t, err)
	r := &readings{}
	began := time.Now()
	k := newKeys(func(context.Context) ([]byte, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.times = append(r.times, time.Since(began))
		return answer(len(r.times))
	}, time.Now, zap.NewNop(), m)
	k.random = func() float64 { return 0.5 }
	return r, k
}

func TestRunReadsAtOnceAndAgain(t *testing.T) {
	body := []byte(marshal(map[string]any{"keys": []any{jwkOf(kid, poolKey())}}))
	synctest.Test(t, func(t *testing.T) {
		r, k := newTestKeys(t, func(asked int) ([]byte, error) {
			if asked <= 8 || asked == 10 {
				return nil, errors.New("down")
			}
			return body, nil
		})
		v := &Verifier{keys: k, now: time.Now, metrics: k.metrics}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		synctest.Wait()
		require.Len(t, r.all(), 1, "at once")
		require.ErrorContains(t, v.Ready(ctx), "down")

		<-time.After(15 * time.Minute)
		synctest.Wait()
		var pauses []time.Duration
		all := r.all()
		for i := range all[1:] {
			pauses = append(pauses, all[i+1]-all[i])
		}
		s := time.Second
		require.Equal(t, []time.Duration{
			s / 2, s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, // until there are keys
			readInterval, s / 2, readInterval, // a failure in between
		}, pauses)
		require.NoError(t, v.Ready(ctx))
		cancel()
		require.NoError(t, <-done)
	})
}

func TestRunEndsAReadingUnderWay(t *testing.T) {
	p := newPool(t)
	handler, release := hang()
	defer release()
	asked := make(chan struct{})
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		handler(w, r)
	})
	v := newVerifier(t, p.config(t))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	<-asked
	cancel()
	require.NoError(t, <-done)
	require.ErrorIs(t, v.Ready(t.Context()), errUnread, "the end of the program is no failure of the issuer")
	v.keys.mu.Lock()
	defer v.keys.mu.Unlock()
	require.Nil(t, v.keys.reading)
}

func TestPausesVary(t *testing.T) {
	_, k := newTestKeys(t, nil)
	k.random = func() float64 { return 0 }
	require.Equal(t, 270*time.Second, k.pause())
	k.random = func() float64 { return 1 }
	require.Equal(t, 330*time.Second, k.pause())
	k.failures = 1000
	require.Equal(t, 33*time.Second, k.pause())
}

func TestTheTimeBetweenReadingsIsConfigured(t *testing.T) {
	for name, c := range map[string]struct{ configured, interval time.Duration }{
		"by default": {0, 5 * time.Minute},
		"otherwise":  {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newPool(t).config(t)
			cfg.ReadInterval = c.configured
			require.Equal(t, c.interval, newVerifier(t, cfg).keys.interval)
		})
	}
}
