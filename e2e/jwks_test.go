package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// jwksCache is the least that can be configured. Envoy reads the keys again 5 s before it is over: every second.
const jwksCache = 6 * time.Second

// unaffected is less than the 5 s after which Envoy gives up an issuer that does not answer: no request of this length waits for one.
const unaffected = 4 * time.Second

// keyring is a stack without Cognito, where each issuer has one client of its own: the issuer's name.
type keyring struct{ *stack.Stack }

// trusting is the entry for an issuer whose client has its name.
func trusting(i *stack.Issuer) stack.TrustedIssuer {
	trust := stack.Trust(i, i.Name)
	trust.JWKSCache = jwksCache.String()
	return trust
}

// token is a new access token, which Envoy's cache of verified tokens cannot know.
func (k keyring) token(t *testing.T, i *stack.Issuer, kid string) string {
	t.Helper()
	spec := stack.Access(i.Name)
	spec.Key = kid
	token, err := i.Sign(spec)
	require.NoError(t, err)
	return token
}

// forms are the ways to send a token. Envoy keeps keys and verified tokens for each of them apart.
var forms = []string{"", "Bearer ", "bearer "}

// answers is nil if the token is answered so in every form.
func (k keyring) answers(ctx context.Context, token string, status int) error {
	for _, form := range forms {
		a, err := k.Envoy().Do(ctx, http.MethodGet, adQuery, form+token, nil)
		if err != nil {
			return err
		}
		if err := wants(status, a); err != nil {
			return fmt.Errorf("%q: %w", form, err)
		}
	}
	return nil
}

// newly waits until new tokens of the key are answered so, and returns how long that took.
func (k keyring) newly(t *testing.T, i *stack.Issuer, kid string, status int) time.Duration {
	t.Helper()
	begin := time.Now()
	eventually(t, 30*time.Second, func(ctx context.Context) error { return k.answers(ctx, k.token(t, i, kid), status) })
	return time.Since(begin)
}

// TestSigningKeys: keys come and go at the issuer, and Envoy follows within the cache time.
func TestSigningKeys(t *testing.T) {
	a, b := issuer(t, "https://a.example.com"), issuer(t, "https://b.example.com")
	short := trusting(b)
	short.MaxTokenLifetime = "10m"
	k := keyring{start(t, stack.Options{NoMoto: true, Issuers: []stack.TrustedIssuer{trusting(a), short}})}
	first := k.token(t, a, "")
	require.NoError(t, k.Envoy().WaitIndex(deadline(t, 30*time.Second), first))
	ok := func(t *testing.T, token string, status int) {
		t.Helper()
		require.NoError(t, k.answers(t.Context(), token, status))
	}

	t.Run("two issuers, each with its own clients", func(t *testing.T) {
		until := map[string]any{"exp": time.Now().Add(5 * time.Minute).Unix()}
		sign := func(i *stack.Issuer, token stack.Token) string {
			signed, err := i.Sign(token.With(until))
			require.NoError(t, err)
			return signed
		}
		for _, i := range []*stack.Issuer{a, b} {
			ok(t, sign(i, stack.Access(i.Name)), 200)
			ok(t, sign(i, stack.ID(i.Name)), 200)
		}
		for of, i := range map[*stack.Issuer]*stack.Issuer{a: b, b: a} {
			ok(t, sign(i, stack.Access(of.Name)), 403)
			ok(t, sign(i, stack.ID(of.Name)), 403)
			ok(t, sign(i, stack.ClientCredentials(of.Name)), 403)
			ok(t, sign(i, stack.Access(of.Name).With(map[string]any{"iss": of.Name})), 401) // its name and client, but not its key
		}
	})
	t.Run("max_token_lifetime bounds how far ahead a token's end may be", func(t *testing.T) {
		lives := func(d time.Duration) string {
			token, err := b.Sign(stack.Access(b.Name).With(map[string]any{"exp": time.Now().Add(d).Unix(), "iat": time.Now().Add(-24 * time.Hour).Unix()}))
			require.NoError(t, err)
			return token
		}
		ok(t, lives(9*time.Minute), 200)
		ok(t, lives(15*time.Minute), 401)
		ok(t, lives(24*time.Hour), 401)
		ok(t, k.token(t, a, ""), 200) // the other issuer has no bound
	})

	kid, err := a.Rotate()
	require.NoError(t, err)
	t.Run("a new key is accepted within the cache time, and the old one stays", func(t *testing.T) {
		took := k.newly(t, a, kid, 200)
		t.Logf("a new key is accepted after %s", took)
		require.LessOrEqual(t, took, jwksCache)
		ok(t, first, 200)                  // cached
		ok(t, k.token(t, a, "key-1"), 200) // uncached
		ok(t, k.token(t, a, kid), 200)
	})

	signed := time.Now()
	fading, err := a.Sign(stack.Token{Key: "key-1"}.With(stack.Access(a.Name).Expired(50 * time.Second).Claims)) // the skew leaves it 10 s
	require.NoError(t, err)
	ok(t, fading, 200)
	require.NoError(t, a.Withdraw("key-1"))
	t.Run("a withdrawn key's new tokens are refused after the cache time, those known pass until they expire", func(t *testing.T) {
		took := k.newly(t, a, "key-1", 401)
		t.Logf("a withdrawn key is refused after %s", took)
		require.LessOrEqual(t, took, jwksCache)
		ok(t, fading, 200)
		requests := a.Requests()
		require.NoError(t, a.WaitRequests(deadline(t, 20*time.Second), requests+2*len(forms))) // each form reads the keys twice more
		ok(t, k.token(t, a, "key-1"), 401)
		ok(t, first, 200)
		ok(t, k.token(t, a, kid), 200)
		eventually(t, 30*time.Second, func(ctx context.Context) error { return k.answers(ctx, fading, 401) })
		require.GreaterOrEqual(t, time.Since(signed), 9*time.Second, "not before it expired")
		ok(t, first, 200)
	})
}

// breakJWKS are the ways in which an issuer's keys cannot be had, by the issuer's name; mendJWKS ends each.
var breakJWKS = map[string]func(*stack.Issuer){
	"https://refuses.example.com": (*stack.Issuer).Stop,
	"https://fails.example.com":   func(i *stack.Issuer) { i.SetMode(stack.IssuerFails) },
	"https://hangs.example.com":   func(i *stack.Issuer) { i.SetMode(stack.IssuerHangs) },
}

// brokenIssuers are one for each entry of breakJWKS, not yet broken.
func brokenIssuers(t *testing.T) (issuers []*stack.Issuer, trusted []stack.TrustedIssuer) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(breakJWKS)) {
		i := issuer(t, name)
		issuers, trusted = append(issuers, i), append(trusted, trusting(i))
	}
	return issuers, trusted
}

func mendJWKS(t *testing.T, i *stack.Issuer) {
	t.Helper()
	i.SetMode(stack.IssuerServes)
	require.NoError(t, i.Start())
}

// TestJWKSOutage: with its keys known, an issuer may be down for longer than the cache time, in any way.
func TestJWKSOutage(t *testing.T) {
	issuers, trusted := brokenIssuers(t)
	k := keyring{start(t, stack.Options{NoMoto: true, Issuers: trusted})}
	known := map[*stack.Issuer]string{}
	for _, i := range issuers {
		known[i] = k.token(t, i, "")
		require.NoError(t, k.Envoy().WaitIndex(deadline(t, 30*time.Second), known[i]))
		require.NoError(t, k.answers(t.Context(), known[i], 200))
	}
	for _, i := range issuers { // a start that lasts long ends without keys, and what a worker then asks for by itself it forgets after the cache time
		require.NoError(t, i.WaitRequests(deadline(t, 30*time.Second), i.Requests()+2*len(forms)))
	}
	failed := k.fetches(t, "failed")
	asked := map[*stack.Issuer]int{}
	for _, i := range issuers {
		breakJWKS[i.Name](i)
		asked[i] = k.attempts(t, i)
	}

	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	sent := 0
	for begin := time.Now(); time.Since(begin) < jwksCache*3/2; <-tick.C {
		for _, i := range issuers {
			require.NoError(t, k.answers(deadline(t, unaffected), known[i], 200), "%s, after %s", i.Name, time.Since(begin))
			require.NoError(t, k.answers(deadline(t, unaffected), k.token(t, i, ""), 200), "%s, after %s", i.Name, time.Since(begin))
			sent += 2 * len(forms)
		}
	}
	t.Logf("%d requests passed, %g fetches failed", sent, k.fetches(t, "failed")-failed)
	for _, i := range issuers {
		n := k.attempts(t, i) - asked[i]
		t.Logf("%s was asked for its keys %d times", i.Name, n)
		require.GreaterOrEqual(t, n, 2*len(forms), "%s: asked again by each form", i.Name)
	}
	require.GreaterOrEqual(t, k.fetches(t, "failed")-failed, float64(2*len(issuers)*len(forms)))

	for _, i := range issuers {
		mendJWKS(t, i)
		kid, err := i.Rotate()
		require.NoError(t, err)
		took := k.newly(t, i, kid, 200)
		t.Logf("%s: a new key is accepted %s after the end", i.Name, took)
		require.LessOrEqual(t, took, jwksCache)
	}
}

// attempts is how often Envoy has asked the issuer for its keys, or found it refusing connections.
func (k keyring) attempts(t *testing.T, i *stack.Issuer) int {
	t.Helper()
	u, err := url.Parse(i.JWKSURL())
	require.NoError(t, err)
	stats, err := k.Envoy().Stats(t.Context())
	require.NoError(t, err)
	refused := fmt.Sprintf(`envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="jwks-http-%s"}`,
		strings.NewReplacer(".", "_", ":", "_").Replace(u.Host))
	require.Contains(t, stats, refused)
	return i.Requests() + int(stats[refused])
}

// fetches is how often a fetch of keys has ended so: "success" or "failed".
func (k keyring) fetches(t *testing.T, result string) float64 {
	t.Helper()
	stats, err := k.Envoy().Stats(t.Context())
	require.NoError(t, err)
	const prefix, labels = "envoy_http_jwt_authn_jwks_fetch_", `{envoy_http_conn_manager_prefix="public"}`
	require.Contains(t, stats, prefix+result+labels)
	return stats[prefix+result+labels]
}

// TestStartWithoutJWKS: an Envoy that starts while issuers are down opens its listener, refuses their tokens alone, and takes them
// without a restart once they are up: without any key of an issuer it asks for them at each request.
func TestStartWithoutJWKS(t *testing.T) {
	healthy := issuer(t, "https://healthy.example.com")
	down, trusted := brokenIssuers(t)
	for _, i := range down {
		breakJWKS[i.Name](i)
	}
	k := keyring{start(t, stack.Options{NoMoto: true, NoEnvoy: true, Issuers: append(trusted, trusting(healthy))})}
	begin := time.Now()
	envoy, err := k.AddEnvoy(deadline(t, 2*time.Minute), stack.EnvoyOptions{})
	require.NoError(t, err)
	t.Logf("Envoy's listener is open after %s", time.Since(begin))
	pid := envoy.Process().PID()
	require.NoError(t, envoy.WaitIndex(deadline(t, 30*time.Second), k.token(t, healthy, "")))

	for _, i := range down {
		begin := time.Now()
		requireError(t, do(t, k.Stack, "GET", adQuery, "Bearer "+k.token(t, i, "")), 401, "unauthorized", "")
		t.Logf("%s: 401 after %s", i.Name, time.Since(begin))
		require.NoError(t, k.answers(deadline(t, unaffected), k.token(t, healthy, ""), 200))
		require.Equal(t, 200, do(t, k.Stack, "GET", "/health", "").Status)
	}
	for _, i := range down {
		mendJWKS(t, i)
		took := k.newly(t, i, "", 200)
		t.Logf("%s: tokens are accepted %s after it is up", i.Name, took)
		require.LessOrEqual(t, took, jwksCache)
	}
	require.Equal(t, pid, envoy.Process().PID())
	require.True(t, envoy.Process().Running())
}
