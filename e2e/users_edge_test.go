package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// The limit of these tests: a token each five seconds. Each subtest has addresses of its own, and so buckets of its own.
const (
	signIns   = 4
	signInPer = 20 * time.Second
)

// limited is a stack whose sign-ins are limited.
type limited struct{ *stack.Stack }

// TestSignInsAreLimited: so many sign-ins of one client address at once, and no trick gets more. Nothing else is limited.
func TestSignInsAreLimited(t *testing.T) {
	s := limited{served(t, stack.Options{
		Users: &stack.UsersOptions{}, Concurrency: 2,
		Gateway: fmt.Sprintf("users: {sign_in_rate: {requests: %d, per: %s}}", signIns, signInPer),
	})}
	require.NoError(t, s.Envoy().WaitUsers(deadline(t, 30*time.Second)))

	t.Run("all paths share one limit, and Retry-After is true", s.retryAfterIsTrue)
	t.Run("spellings of the path do not get around it", func(t *testing.T) {
		c := from(t, "127.0.0.11")
		s.exhaust(t, c)
		requireSignInFault(t, mustSend(t, c, s.BaseURL()+"/authenticate?x=1", trip{method: http.MethodPost, body: []byte("{}")}), 429, "too_many_requests", "")
		for _, path := range []string{"/authenticate/", "//authenticate", "/./authenticate", "/x/../authenticate", "/prod/../authenticate", "/%61uthenticate"} {
			a := mustSend(t, c, s.BaseURL()+path, trip{method: http.MethodPost, body: []byte("{}")})
			require.Contains(t, []int{400, 401, 404, 429}, a.Status, "%s: %s", path, a)
			require.NotEqual(t, "invalid_field", a.Code(), "%s: the service has seen it", path)
		}
	})
	t.Run("another address has a limit of its own", func(t *testing.T) {
		require.GreaterOrEqual(t, s.exhaust(t, from(t, "127.0.0.21")).passed, signIns)
		require.GreaterOrEqual(t, s.exhaust(t, from(t, "127.0.0.22")).passed, signIns)
	})
	t.Run("what a client says of its address is not believed", s.claimedAddressesDoNotCount)
	t.Run("other methods and routes are neither limited nor counted", s.othersAreFree)
	t.Run("the right password is limited too, and refused before the service sees it", func(t *testing.T) {
		c := from(t, "127.0.0.51")
		body := fmt.Appendf(nil, `{"username":%q,"password":%q}`, stack.Username, stack.Password)
		a := mustSend(t, c, s.BaseURL()+"/authenticate", trip{method: http.MethodPost, body: body})
		require.Equal(t, 200, a.Status, a)
		s.exhaust(t, c)
		seen := s.seen(t)
		for range 20 {
			requireSignInFault(t, mustSend(t, c, s.BaseURL()+"/authenticate", trip{method: http.MethodPost, body: body}), 429, "too_many_requests", "")
		}
		require.Equal(t, seen, s.seen(t))
	})
}

// from is a client with this source address. Each request has a connection of its own, so that all of Envoy's workers see the client.
func from(t *testing.T, address string) *http.Client {
	t.Helper()
	dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
}

// try sends what the service refuses without asking the user pool, so that a bucket empties faster than it fills.
func (s limited) try(ctx context.Context, c *http.Client, path string, header http.Header) (*stack.Answer, error) {
	return send(ctx, c, s.BaseURL()+path, trip{method: http.MethodPost, header: header, body: []byte("{}")})
}

// spent is what it took until a sign-in was refused.
type spent struct {
	passed  int       // let through before
	asked   time.Time // before the one that was refused
	refused *stack.Answer
}

// exhaust sends sign-ins until one is refused, by turns to all paths, and requires that it is not too late.
func (s limited) exhaust(t *testing.T, c *http.Client) spent {
	t.Helper()
	return s.exhaustAs(t, c, func(int) http.Header { return nil })
}

func (s limited) exhaustAs(t *testing.T, c *http.Client, header func(i int) http.Header) spent {
	t.Helper()
	paths := []string{"/authenticate", "/prod/authenticate", "/development/authenticate"}
	began := time.Now()
	for i := range 10 * signIns {
		asked := time.Now()
		a, err := s.try(deadline(t, 20*time.Second), c, paths[i%len(paths)], header(i))
		require.NoError(t, err)
		if a.Status == http.StatusTooManyRequests {
			requireSignInFault(t, a, 429, "too_many_requests", "")
			filled := int(time.Since(began) * signIns / signInPer) // meanwhile
			require.LessOrEqual(t, i, signIns+filled, "let through")
			return spent{passed: i, asked: asked, refused: a}
		}
		require.Equal(t, 400, a.Status, a)
		require.Equal(t, "invalid_field", a.Code(), a)
	}
	require.Fail(t, "nothing was refused")
	return spent{}
}

func (s limited) retryAfterIsTrue(t *testing.T) {
	c := from(t, "127.0.0.2")
	began := time.Now()
	spent := s.exhaust(t, c)
	told := time.Now()
	require.GreaterOrEqual(t, spent.passed, signIns)
	wait, err := strconv.Atoi(spent.refused.Header.Get("Retry-After"))
	require.NoError(t, err, "whole seconds")
	after := time.Duration(wait) * time.Second
	require.Positive(t, after)
	require.LessOrEqual(t, after, signInPer/signIns+time.Second, "one is let through again much sooner than all")

	eventually(t, after+20*time.Second, func(ctx context.Context) error {
		sent := time.Now()
		a, err := s.try(ctx, c, "/prod/authenticate", nil)
		if err == nil && a.Status == http.StatusTooManyRequests {
			require.Less(t, sent.Sub(told), after, "refused after the time that was told")
			err = wants(400, a)
		}
		return err
	})
	require.Greater(t, time.Since(began), signInPer/signIns, "not before a token is there again")
	require.Greater(t, time.Since(spent.asked), after-time.Second, "what was told is no more than rounded up")
}

func (s limited) claimedAddressesDoNotCount(t *testing.T) {
	claims := func(address string) http.Header {
		return http.Header{
			"X-Forwarded-For": {address}, "X-Envoy-External-Address": {address}, "X-Real-Ip": {address}, "Forwarded": {"for=" + address},
			"True-Client-Ip": {address}, "X-Envoy-Internal": {"true"},
		}
	}
	s.exhaustAs(t, from(t, "127.0.0.31"), func(i int) http.Header { return claims(fmt.Sprintf("192.0.2.%d", i)) })
	// 127.0.0.32 pretends to be 127.0.0.33, whose own sign-ins are not fewer for that.
	s.exhaustAs(t, from(t, "127.0.0.32"), func(int) http.Header { return claims("127.0.0.33") })
	require.GreaterOrEqual(t, s.exhaust(t, from(t, "127.0.0.33")).passed, signIns)
}

func (s limited) othersAreFree(t *testing.T) {
	c := from(t, "127.0.0.41")
	others := func(t *testing.T) {
		t.Helper()
		for range 2 * signIns {
			a := mustSend(t, c, s.BaseURL()+"/authenticate", trip{})
			require.Equal(t, 405, a.Status, a)
			require.Equal(t, "POST", a.Header.Get("Allow"))
			for path, token := range map[string]string{
				"/hc-authenticate": "", "/prod/hc-authenticate": "", "/openapi.json": "", "/health": "", stack.AdPath("us", "eng"): s.Token(),
			} {
				a := mustSend(t, c, s.BaseURL()+path, trip{token: token})
				require.Equal(t, 200, a.Status, "%s: %s", path, a)
			}
			a = mustSend(t, c, s.BaseURL()+"/read?userId=00000000", trip{token: s.Token()})
			require.Equal(t, 404, a.Status, a)
			for path, method := range map[string]string{"/create": http.MethodPost, "/update": http.MethodPut} {
				a := mustSend(t, c, s.BaseURL()+path, trip{method: method, token: s.Token(), body: []byte("{}")})
				require.Equal(t, 400, a.Status, a)
			}
		}
	}
	others(t)
	require.GreaterOrEqual(t, s.exhaust(t, c).passed, signIns, "none of them was counted")
	others(t)
}

// seen is how many sign-ins the service has seen.
func (s limited) seen(t *testing.T) float64 {
	t.Helper()
	series, err := s.Users().Metrics(deadline(t, 10*time.Second))
	require.NoError(t, err)
	const count = `adsidecar_users_request_duration_seconds_count{endpoint="authenticate"}`
	require.Contains(t, series, count)
	return series[count]
}
