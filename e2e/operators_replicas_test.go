package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/e2e/stack"
)

const (
	// tablePoll is how often a control plane asks its table what others wrote there: that of the program, which no test changes.
	tablePoll = 2 * time.Second
	// replicaWithin is how long it may take until one control plane follows what was said to another, up to its Envoys: a poll and the
	// allowance for a loaded machine. README promises five seconds.
	replicaWithin = tablePoll + allowance
)

// replicas are two control planes with one table in DynamoDB and one source.
type replicas struct {
	*stack.Stack
	table         string
	first, second operator
}

// startReplicas starts both. Parts of the gateway's configuration may be put over it.
func startReplicas(t *testing.T, o stack.Options, gateway string) *replicas {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	r := &replicas{table: "operators-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	o.NoEnvoy = true
	o.Gateway = fmt.Sprintf("{campaigns: {operators: {dynamodb: {table: %s, region: eu-west-1, endpoint: %q}}}, %s}", r.table, moto.Endpoint, gateway)
	r.Stack = start(t, o)
	r.first.plane = r.ControlPlane()
	for range 2 { // it may be repeated
		made := command{dir: t.TempDir()}.run(t, "init", "--config", r.first.plane.ConfigFile)
		require.Equal(t, 0, made.code, made.stderr)
	}
	var err error
	r.second.plane, err = r.AddControlPlane(deadline(t, 60*time.Second))
	require.NoError(t, err)
	for _, o := range r.each() {
		require.NoError(t, o.plane.WaitReady(deadline(t, 30*time.Second)))
	}
	return r
}

func (r *replicas) each() []operator { return []operator{r.first, r.second} }

// published is the version that a control plane publishes, as its list of versions says; zero: none that is kept.
func (o operator) published(ctx context.Context) (v apiv1.Version, err error) {
	var page apiv1.Page[apiv1.Version]
	a, err := o.try(ctx, "GET", "/versions", nil)
	if err != nil || a.Status != http.StatusOK {
		return v, err
	}
	err = json.Unmarshal(a.Body, &page)
	for _, item := range page.Items {
		if item.Published {
			v = item
		}
	}
	return v, err
}

// agree waits until both publish the same version of that revision, fails after replicaWithin, and returns it.
func (r *replicas) agree(t *testing.T, revision uint64) string {
	t.Helper()
	began, version := time.Now(), ""
	eventually(t, replicaWithin, func(ctx context.Context) error {
		a, err := r.first.published(ctx)
		if err != nil {
			return err
		}
		b, err := r.second.published(ctx)
		if err != nil {
			return err
		}
		if a.Version == "" || a.Version != b.Version || a.Revision != revision || b.Revision != revision {
			return fmt.Errorf("%q of revision %d, %q of revision %d", a.Version, a.Revision, b.Version, b.Revision)
		}
		version = a.Version
		return nil
	})
	t.Logf("both publish revision %d after %s", revision, time.Since(began).Round(time.Millisecond))
	return version
}

// both waits until each of them is as wanted, and fails after replicaWithin.
func (r *replicas) both(t *testing.T, wanted func(planeStatus) error) {
	t.Helper()
	began := time.Now()
	inTime(t, replicaWithin, func(ctx context.Context) error {
		for _, o := range r.each() {
			s, err := statusOf(ctx, o.plane)
			if err == nil {
				err = wanted(s)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", o.plane.Name, err)
			}
		}
		return nil
	})
	t.Logf("both after %s", time.Since(began).Round(time.Millisecond))
}

// publishing is a wanted status: this version is published.
func publishing(version string) func(planeStatus) error {
	return func(s planeStatus) error {
		if s.Index == nil || s.Index.Version != version {
			return fmt.Errorf("it publishes %+v, not %s; held: %+v, pin: %+v", s.Index, version, s.Held, s.Pin)
		}
		return nil
	}
}

// TestOperatorsReplicas: two control planes with one table in DynamoDB come to the same index within a poll, whichever of them is asked.
func TestOperatorsReplicas(t *testing.T) {
	r := startReplicas(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"))}, "")
	r.agree(t, 0)
	r.first.ask(t, "POST", "/campaigns", ad("b", "us", "eng"), 201, nil)
	r.agree(t, 1)
	r.second.ask(t, "PATCH", "/campaigns/b", map[string]any{"enabled": false}, 200, nil)
	r.agree(t, 2)
	r.first.ask(t, "PATCH", "/campaigns/b", map[string]any{"enabled": true}, 200, nil)
	r.agree(t, 3)
	r.second.ask(t, "DELETE", "/campaigns/b", nil, 200, nil)
	r.agree(t, 4)
	r.first.ask(t, "GET", "/campaigns/b", nil, 404, nil)
}

// TestReplicasDecideAlike: a pin, its end, and what is said of a version that is held count on both of two control planes, whichever of them
// was told, and Envoys of each serve the same.
func TestReplicasDecideAlike(t *testing.T) {
	four := []campaign{ad("a", "us", "eng"), ad("b", "us", "eng"), ad("c", "us", "eng"), ad("d", "us", "eng")}
	r := startReplicas(t, stack.Options{Campaigns: document(t, four...)}, "guards: {max_removed_share: 0.5}")
	var envoys []*stack.Envoy
	for _, o := range []stack.EnvoyOptions{{}, {Static: true, ControlPlane: r.second.plane}} {
		e, err := r.AddEnvoy(t.Context(), o)
		require.NoError(t, err)
		envoys = append(envoys, e)
	}
	for _, e := range envoys {
		require.NoError(t, e.WaitIndex(deadline(t, 30*time.Second), "Bearer "+r.Token()))
	}
	// serve waits until the Envoys of both serve an ad, or no more.
	serve := func(t *testing.T, id string, there bool) {
		t.Helper()
		for _, e := range envoys {
			servedBy(t, e, r.Token(), replicaWithin, id, there)
		}
	}
	origin := r.agree(t, 0)

	t.Run("a pin on one holds and shows on both, and so does its end", func(t *testing.T) {
		r.first.ask(t, "POST", "/campaigns", ad("e", "us", "eng"), 201, nil)
		latest := r.agree(t, 1)
		r.first.ask(t, "POST", "/versions/"+origin+"/rollback", apiv1.Comment{Comment: "too early"}, 200, nil)
		r.both(t, func(s planeStatus) error {
			if s.Pin == nil || s.Pin.Version != origin || s.Pin.Waiting != latest {
				return fmt.Errorf("pin: %+v", s.Pin)
			}
			return publishing(origin)(s)
		})
		serve(t, "e", false)
		var pins [2]apiv1.Pin
		for i, o := range r.each() {
			o.ask(t, "GET", "/pin", nil, 200, &pins[i])
		}
		require.Equal(t, pins[0], pins[1])
		require.Equal(t, "too early", pins[0].Comment)
		require.NotEmpty(t, pins[0].Who)

		r.second.ask(t, "POST", "/campaigns", ad("f", "us", "eng"), 201, nil)
		r.both(t, func(s planeStatus) error {
			if s.Operators.Compiled != 2 {
				return fmt.Errorf("revision %d", s.Operators.Compiled)
			}
			return publishing(origin)(s)
		})
		r.second.ask(t, "DELETE", "/pin", nil, 204, nil)
		r.both(t, func(s planeStatus) error {
			if s.Pin != nil {
				return fmt.Errorf("pin: %+v", s.Pin)
			}
			return nil
		})
		r.agree(t, 2)
		serve(t, "f", true)
		for _, o := range r.each() {
			o.ask(t, "GET", "/pin", nil, 404, nil)
		}
	})
	// holding waits until both hold the same version in the place of base.
	holding := func(t *testing.T, base string) apiv1.Held {
		t.Helper()
		r.both(t, func(s planeStatus) error {
			if s.Held == nil || s.Held.Base != base {
				return fmt.Errorf("held: %+v", s.Held)
			}
			return publishing(base)(s)
		})
		var held [2]apiv1.Held
		for i, o := range r.each() {
			o.ask(t, "GET", "/held", nil, 200, &held[i])
		}
		require.Equal(t, held[0].Version, held[1].Version)
		require.Equal(t, "max_removed_share", held[0].Reason)
		require.Equal(t, held[0].Reason, held[1].Reason)
		return held[0]
	}
	full := r.agree(t, 2)

	t.Run("what is confirmed on one is published by both", func(t *testing.T) {
		r.Source.SetBody(document(t))
		held := holding(t, full)
		serve(t, "d", true)
		r.second.ask(t, "POST", "/held/"+held.Version+"/confirm", nil, 204, nil)
		r.both(t, func(s planeStatus) error {
			if s.Held != nil {
				return fmt.Errorf("held: %+v", s.Held)
			}
			return publishing(held.Version)(s)
		})
		serve(t, "d", false)
		serve(t, "e", true)
	})
	t.Run("what is refused on one is shown refused on both, also after a restart", func(t *testing.T) {
		r.Source.SetBody(document(t, four...))
		r.both(t, publishing(full))
		serve(t, "d", true)
		r.Source.SetBody(document(t))
		held := holding(t, full)
		said := command{dir: t.TempDir()}.run(t, "held", "refuse", held.Version, "--server", r.first.plane.URL, "--comment", "not all")
		require.Equal(t, 0, said.code, said.stderr)
		refused := func(s planeStatus) error {
			if s.Held == nil || !s.Held.Refused || s.Held.Comment != "not all" || s.Held.RefusedBy == "" || s.Held.DecidedAt.IsZero() {
				return fmt.Errorf("held: %+v", s.Held)
			}
			return publishing(full)(s)
		}
		r.both(t, refused)
		polls(t, r.Stack, 6)
		r.both(t, refused)
		restarted(t, r.second.plane)
		r.both(t, refused)
		serve(t, "d", true)
	})
	t.Run("and can be confirmed on the other all the same", func(t *testing.T) {
		held := holding(t, full)
		r.second.ask(t, "POST", "/held/"+held.Version+"/confirm", nil, 204, nil)
		r.both(t, publishing(held.Version))
		serve(t, "d", false)
		r.first.ask(t, "POST", "/held/"+held.Version+"/refuse", nil, 409, nil)
	})
}
