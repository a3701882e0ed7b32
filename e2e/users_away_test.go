package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// storeTimeout is how long the service gives a request (10 s), and what a busy machine may add; Envoy gives it 15 s.
const storeTimeout = 13 * time.Second

// TestUsersStoreAway: without its database the service says so, in time, and nothing else suffers.
func TestUsersStoreAway(t *testing.T) {
	r := startRelay(t)
	database := strings.TrimPrefix(moto.Endpoint, "http://")
	r.to(database)
	s := usersReady(t, stack.Options{
		Campaigns: document(t, ad("a", "us", "eng")), Concurrency: 2,
		Users:   &stack.UsersOptions{Store: stack.DynamoDB},
		Gateway: fmt.Sprintf("users: {store: {dynamodb: {endpoint: %q}}}", "http://"+r.address),
	})
	require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody reads from them
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })

	ads := startLoad(t, s.Envoy(), loadOptions{
		Token: s.Token(), Path: stack.AdPath("us", "eng"), Pause: 20 * time.Millisecond, Ask: always(wantAd("a")),
	})
	for name, away := range map[string]string{"that hangs up": "", "that hangs": silent.Addr().String()} {
		t.Run("a database "+name, func(t *testing.T) { storeAway(t, s, func() { r.to(away) }, func() { r.to(database) }) })
	}
	ads.unharmed(t)
}

// storeAway takes the store away and gives it back.
func storeAway(t *testing.T, s *stack.Stack, cut, mend func()) {
	u := signUp(t, s, "away")
	first := newLedger(u.connect(t, 1), 0)[0].finished(t)
	conns := u.connect(t, 6)

	cut()
	began := time.Now()
	var took time.Duration
	var early error // of requests while Envoy takes the service for ready
	var asked sync.WaitGroup
	asked.Go(func() {
		early = notServed(conns[:3], first)
		took = time.Since(began)
	})
	awaitHealth(t, s, http.StatusServiceUnavailable)
	noticed := time.Since(began)
	require.NoError(t, notServed(conns[3:], first)) // while it does not
	asked.Wait()
	require.NoError(t, early)

	mend()
	began = time.Now()
	eventually(t, 30*time.Second, func(context.Context) error { return conns[0].expect(first) })
	back := time.Since(began)
	awaitHealth(t, s, http.StatusOK)
	t.Logf("answered within %s, not ready after %s; serves again after %s, and is ready after %s", took.Round(time.Millisecond),
		noticed.Round(time.Millisecond), back.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))

	again, err := conns[0].create(profileOf("meanwhile"), "meanwhile")
	require.NoError(t, err)
	require.Equal(t, map[string]storedRecord{
		first.UserID: {profileOf(first.now), u.sub, first.version},
		again.UserID: {profileOf("meanwhile"), u.sub, 1},
	}, recordsOfTable(t, s, u), "what failed was not applied")
}

// notServed creates, reads and updates at once, which must all be refused, soon enough for the client to hear it from the service.
func notServed(conns []*userConn, r *ledgerRecord) error {
	requests := []func(c *userConn) error{
		func(c *userConn) error { _, err := c.create(profileOf("meanwhile"), "meanwhile"); return err },
		func(c *userConn) error { return c.expect(r) },
		func(c *userConn) error { _, _, err := c.update(r.UserID, profileOf("changed"), ""); return err },
	}
	errs := make([]error, len(requests))
	var all sync.WaitGroup
	for i, request := range requests {
		all.Go(func() {
			began := time.Now()
			err := request(conns[i])
			took := time.Since(began)
			var a *otherAnswer
			if !errors.As(err, &a) || a.Code() != "store_unavailable" || saysUnavailable(err) != nil || took > storeTimeout {
				errs[i] = fmt.Errorf("request %d after %s: want store_unavailable, got %w", i, took, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// awaitHealth returns when the service and Envoy say with status whether what needs the store can be served. Nothing else may change.
func awaitHealth(t *testing.T, s *stack.Stack, status int) {
	t.Helper()
	service, gateway := s.Users().URL, s.BaseURL()
	for _, url := range []string{service + "/readyz", gateway + "/hc-create", gateway + "/hc-read", gateway + "/hc-update"} {
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			a, err := stack.Send(ctx, http.MethodGet, url, nil, nil)
			if err != nil {
				return err
			}
			return wants(status, a)
		})
	}
	for _, endpoint := range []string{"create", "read", "update"} {
		eventually(t, 30*time.Second, func(ctx context.Context) error {
			stats, err := s.Envoy().Stats(ctx)
			if err != nil {
				return err
			}
			healthy, ok := stats[fmt.Sprintf("envoy_cluster_membership_healthy{envoy_cluster_name=%q}", "users-"+endpoint)]
			if !ok || (healthy == 1) != (status == http.StatusOK) {
				return fmt.Errorf("Envoy takes %v servers of %s for healthy", healthy, endpoint)
			}
			return nil
		})
	}
	for _, url := range []string{service + "/healthz", service + "/hc-authenticate", gateway + "/hc-authenticate"} {
		a, err := stack.Send(deadline(t, 10*time.Second), http.MethodGet, url, nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", url, a)
	}
}
