package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"adsidecar/e2e/stack"
	"adsidecar/envoy/gateway"
)

// aPlayer is a whole record.
const aPlayer = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
	`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Short St"}}`

// visitor sends good requests of every kind, as the demo user.
type visitor struct {
	*stack.Stack
	userID string // of the first record
}

// visit makes the first record.
func visit(t *testing.T, s *stack.Stack) *visitor {
	t.Helper()
	v := &visitor{Stack: s}
	a, err := v.send(deadline(t, 20*time.Second), gateway.Create)
	require.NoError(t, err)
	require.NoError(t, wants(201, a))
	_, id, found := strings.Cut(a.Header.Get("Location"), "userId=")
	require.True(t, found, a.Header)
	v.userID = id
	return v
}

// send sends a good request to an endpoint through the first Envoy.
func (v *visitor) send(ctx context.Context, e gateway.Endpoint) (*stack.Answer, error) {
	return v.sendTo(ctx, v.Envoy(), e)
}

func (v *visitor) sendTo(ctx context.Context, to *stack.Envoy, e gateway.Endpoint) (*stack.Answer, error) {
	token := "Bearer " + v.Token()
	switch e {
	case gateway.Authenticate:
		return to.Do(ctx, http.MethodPost, "/authenticate", "", fmt.Appendf(nil, `{"username":%q,"password":%q}`, stack.Username, stack.Password))
	case gateway.Create:
		return to.Do(ctx, http.MethodPost, "/create", token, []byte(aPlayer))
	case gateway.Read:
		return to.Do(ctx, http.MethodGet, "/read?userId="+v.userID, token, nil)
	default:
		return to.Do(ctx, http.MethodPut, "/update", token, fmt.Appendf(nil, `{"userId":%q,"mobileNumber":"0411111111"}`, v.userID))
	}
}

// done is the status of an endpoint's good answer.
func done(e gateway.Endpoint) int {
	if e == gateway.Create {
		return 201
	}
	return 200
}

// works requires good answers.
func (v *visitor) works(t *testing.T, times int, endpoints ...gateway.Endpoint) {
	t.Helper()
	for range times {
		for _, e := range endpoints {
			a, err := v.send(deadline(t, 20*time.Second), e)
			require.NoError(t, err, e)
			require.Equal(t, done(e), a.Status, "%s: %s", e, a)
		}
	}
}

// healthy is how many servers Envoy holds for healthy, of each endpoint.
func healthy(ctx context.Context, e *stack.Envoy) (map[gateway.Endpoint]int, error) {
	stats, err := e.Stats(ctx)
	counts := map[gateway.Endpoint]int{}
	for _, endpoint := range gateway.Endpoints {
		counts[endpoint] = int(stats[clusterSeries("envoy_cluster_membership_healthy", endpoint)])
	}
	return counts, err
}

// awaitHealthy waits until Envoy holds so many servers for healthy, of each of these endpoints.
func awaitHealthy(t *testing.T, e *stack.Envoy, want int, endpoints ...gateway.Endpoint) {
	t.Helper()
	eventually(t, 30*time.Second, func(ctx context.Context) error {
		counts, err := healthy(ctx, e)
		for _, endpoint := range endpoints {
			if counts[endpoint] != want {
				err = errors.Join(err, fmt.Errorf("%d healthy servers of %s, not %d", counts[endpoint], endpoint, want))
			}
		}
		return err
	})
}

// clusterSeries is a statistic of an endpoint's cluster.
func clusterSeries(name string, e gateway.Endpoint) string {
	return fmt.Sprintf(`%s{envoy_cluster_name="users-%s"}`, name, e)
}

// TestEachEndpointHasServersOfItsOwn: rows U32 and U33, with a process for each endpoint.
func TestEachEndpointHasServersOfItsOwn(t *testing.T) {
	all := gateway.Endpoints
	var serve [][]gateway.Endpoint
	for _, e := range all {
		serve = append(serve, []gateway.Endpoint{e})
	}
	s := served(t, stack.Options{Users: &stack.UsersOptions{Store: stack.DynamoDB, Serve: serve}})
	require.NoError(t, s.Envoy().WaitUsers(deadline(t, 30*time.Second)))
	v := visit(t, s)

	t.Run("each cluster gets its own requests and no other", func(t *testing.T) {
		before, err := s.Envoy().Stats(deadline(t, 10*time.Second))
		require.NoError(t, err)
		want := map[gateway.Endpoint]int{gateway.Authenticate: 1, gateway.Create: 2, gateway.Read: 3, gateway.Update: 4}
		for e, n := range want {
			v.works(t, n, e)
		}
		after, err := s.Envoy().Stats(deadline(t, 10*time.Second))
		require.NoError(t, err)
		for i, e := range all {
			const requests = "envoy_cluster_upstream_rq_total"
			require.Contains(t, after, clusterSeries(requests, e))
			require.EqualValues(t, want[e], after[clusterSeries(requests, e)]-before[clusterSeries(requests, e)], e)
			own, err := s.AllUsers()[i].Metrics(deadline(t, 10*time.Second))
			require.NoError(t, err)
			for _, other := range all {
				_, there := own[fmt.Sprintf(`adsidecar_users_requests_total{code="%d",endpoint="%s"}`, done(other), other)]
				require.Equal(t, other == e, there, "the process of %s has seen /%s", e, other)
			}
		}
	})
	t.Run("each health path says healthy, and nothing else to other methods", func(t *testing.T) {
		for _, e := range all {
			for _, stage := range []string{"", "/prod", "/development"} {
				a := do(t, s, "GET", stage+e.HealthPath(), "")
				require.Equal(t, 200, a.Status, a)
				require.Equal(t, "healthy", string(a.Body))
				require.Equal(t, "text/plain; charset=utf-8", a.Header.Get("Content-Type"))
				require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
				head := do(t, s, "HEAD", stage+e.HealthPath(), "")
				require.Equal(t, 200, head.Status)
				require.Empty(t, head.Body)
				requireError(t, do(t, s, "POST", stage+e.HealthPath(), ""), 405, "method_not_allowed", "")
			}
		}
	})
	t.Run("a process answers its own endpoints alone", func(t *testing.T) {
		for i, u := range s.AllUsers() {
			for j, e := range all {
				a, err := u.Send(deadline(t, 10*time.Second), "GET", e.HealthPath(), nil, nil)
				require.NoError(t, err)
				require.Equal(t, map[bool]int{true: 200, false: 404}[i == j], a.Status, "%s of the process of %s", e.HealthPath(), all[i])
			}
		}
	})
	for i, dead := range all {
		t.Run("the others go on without "+string(dead), func(t *testing.T) {
			s.AllUsers()[i].Kill()
			var others []gateway.Endpoint
			for _, e := range all {
				if e != dead {
					others = append(others, e)
				}
			}
			v.works(t, 3, others...)
			a, err := v.send(deadline(t, 20*time.Second), dead)
			require.NoError(t, err)
			if dead == gateway.Authenticate {
				requireSignInFault(t, a, 503, "upstream_unavailable", "")
			} else {
				requireFault(t, a, 503, "upstream_unavailable", "")
			}
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			awaitHealthy(t, s.Envoy(), 0, dead)
			requireError(t, do(t, s, "GET", dead.HealthPath(), ""), 503, "upstream_unavailable", "")
			awaitHealthy(t, s.Envoy(), 1, others...)
			v.works(t, 2, others...)
			require.NoError(t, wants(200, get(t, s, "?country=us&lang=eng")), "ads go on")

			require.NoError(t, s.AllUsers()[i].Start(deadline(t, 30*time.Second)))
			require.NoError(t, s.Envoy().WaitUsers(deadline(t, 30*time.Second), dead))
			v.works(t, 1, all...)
		})
	}
}

// setDynamoEndpoint changes where a process that does not run finds its store.
func setDynamoEndpoint(t *testing.T, u *stack.Users, url string) {
	t.Helper()
	text, err := os.ReadFile(u.ConfigFile)
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(text, &doc))
	users, _ := doc["users"].(map[string]any)
	store, _ := users["store"].(map[string]any)
	table, _ := store["dynamodb"].(map[string]any)
	require.Contains(t, table, "endpoint")
	table["endpoint"] = url
	text, err = yaml.Marshal(doc)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(u.ConfigFile, text, 0o600))
}

// TestServersWithoutAStoreAreLeftOut: of two processes, each with a way of its own to the store.
func TestServersWithoutAStoreAreLeftOut(t *testing.T) {
	s := start(t, stack.Options{NoEnvoy: true, Users: &stack.UsersOptions{Store: stack.DynamoDB, Replicas: 2, NoStart: true}})
	ways := []*relay{startRelay(t), startRelay(t)}
	moved := strings.TrimPrefix(moto.Endpoint, "http://")
	for i, u := range s.AllUsers() {
		ways[i].to(moved)
		setDynamoEndpoint(t, u, "http://"+ways[i].address)
		require.NoError(t, u.Start(deadline(t, 30*time.Second)))
		require.NoError(t, u.WaitReady(deadline(t, 30*time.Second)))
	}
	_, err := s.AddEnvoy(deadline(t, 60*time.Second), stack.EnvoyOptions{})
	require.NoError(t, err)
	storing := []gateway.Endpoint{gateway.Create, gateway.Read, gateway.Update}
	awaitHealthy(t, s.Envoy(), 2, gateway.Endpoints...)
	v := visit(t, s)

	t.Run("one has none: the other does all", func(t *testing.T) {
		ways[1].to("")
		awaitHealthy(t, s.Envoy(), 1, storing...)
		v.works(t, 10, gateway.Endpoints...)
		counts, err := healthy(deadline(t, 10*time.Second), s.Envoy())
		require.NoError(t, err)
		require.Equal(t, 2, counts[gateway.Authenticate], "signing in needs no store")
		for _, e := range storing {
			a, err := s.AllUsers()[1].Send(deadline(t, 10*time.Second), "GET", e.HealthPath(), nil, nil)
			require.NoError(t, err)
			require.Equal(t, []any{503, "the store is unavailable"}, []any{a.Status, string(a.Body)})
		}
	})
	t.Run("none has one: they say themselves what is wrong", func(t *testing.T) {
		ways[0].to("")
		awaitHealthy(t, s.Envoy(), 0, storing...)
		var running sync.WaitGroup
		answers := make([]*stack.Answer, 2*len(storing)) // at once, as each takes all tries of the AWS SDK
		for i := range answers {
			running.Go(func() { answers[i], _ = v.send(t.Context(), storing[i/2]) })
		}
		running.Wait()
		for _, a := range answers {
			require.NotNil(t, a, "no answer")
			requireError(t, a, 503, "store_unavailable", "")
			require.Equal(t, "1", a.Header.Get("Retry-After"))
		}
		for _, e := range storing {
			a := do(t, s, "GET", e.HealthPath(), "")
			require.Equal(t, []any{503, "the store is unavailable"}, []any{a.Status, string(a.Body)})
		}
		v.works(t, 2, gateway.Authenticate)
	})
	t.Run("the store is back: so are both", func(t *testing.T) {
		for _, way := range ways {
			way.to(moved)
		}
		awaitHealthy(t, s.Envoy(), 2, gateway.Endpoints...)
		v.works(t, 5, gateway.Endpoints...)
	})
}

// TestServersAreReplacedUnderLoad: SIGTERM, a new process, and no request fails: neither those under way nor those that come.
func TestServersAreReplacedUnderLoad(t *testing.T) {
	s := served(t, stack.Options{Concurrency: 2, Users: &stack.UsersOptions{Store: stack.DynamoDB, Replicas: 2}})
	awaitHealthy(t, s.Envoy(), 2, gateway.Endpoints...)

	const clients = 4
	ctx, stop := context.WithCancel(deadline(t, 2*time.Minute))
	var running sync.WaitGroup
	var sent atomic.Int64
	failed := make(chan error, clients)
	for i := range clients {
		v := visit(t, s) // with a record of its own: of one that others keep writing an update may be refused
		running.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				e := []gateway.Endpoint{gateway.Create, gateway.Update, gateway.Create, gateway.Read}[n%4]
				a, err := v.send(t.Context(), e)
				if err == nil {
					err = wants(done(e), a)
				}
				if err != nil {
					failed <- fmt.Errorf("%s: %w", e, err)
					return
				}
				sent.Add(1)
			}
		})
	}
	t.Cleanup(func() { stop(); running.Wait() })
	more := func() { // each client has been answered again, or failed
		t.Helper()
		from := sent.Load()
		eventually(t, 60*time.Second, func(context.Context) error {
			if got := sent.Load() - from; got < 5*clients && len(failed) == 0 {
				return fmt.Errorf("%d answers", got)
			}
			return nil
		})
	}
	for _, u := range s.AllUsers() {
		more()
		require.NoError(t, u.Stop())
		require.Equal(t, 0, u.Process().ExitCode())
		more()
		require.NoError(t, u.Start(deadline(t, 30*time.Second)))
		require.NoError(t, u.WaitReady(deadline(t, 30*time.Second)))
		awaitHealthy(t, s.Envoy(), 2, gateway.Endpoints...)
		more()
	}
	stop()
	running.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err, "after %d answers", sent.Load())
	}
	t.Logf("%d requests", sent.Load())
}

// TestFreshEnvoyPassesOverADeadServer: from the first moment at which it takes requests.
func TestFreshEnvoyPassesOverADeadServer(t *testing.T) {
	s := start(t, stack.Options{NoEnvoy: true, Users: &stack.UsersOptions{Store: stack.DynamoDB, Replicas: 2}})
	token := http.Header{"Authorization": {"Bearer " + s.Token()}}
	made, err := s.Users().Send(deadline(t, 20*time.Second), http.MethodPost, "/create", token, []byte(aPlayer))
	require.NoError(t, err)
	require.NoError(t, wants(201, made))
	s.AllUsers()[1].Kill()
	for _, o := range []stack.EnvoyOptions{{Concurrency: 2}, {Concurrency: 2, Static: true}} {
		e, err := s.AddEnvoy(deadline(t, 60*time.Second), o)
		require.NoError(t, err)
		for range 50 {
			a, err := e.Send(deadline(t, 20*time.Second), http.MethodGet, "/"+made.Header.Get("Location"), token, nil)
			require.NoError(t, err)
			require.NoError(t, wants(200, a))
		}
	}
}
