package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/e2e/stack"
)

// operator changes campaigns of one control plane through its API.
type operator struct{ plane *stack.ControlPlane }

// ask sends a request, checks the status of its answer, and decodes it into what is not nil.
func (o operator) ask(t *testing.T, method, path string, body any, status int, into any) http.Header {
	t.Helper()
	a, err := o.try(t.Context(), method, path, body)
	require.NoError(t, err)
	require.Equal(t, status, a.Status, a.String())
	if into != nil {
		require.NoError(t, json.Unmarshal(a.Body, into))
	}
	return a.Header
}

func (o operator) try(ctx context.Context, method, path string, body any) (*stack.Answer, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	return stack.Send(ctx, method, o.plane.URL+"/api/v1"+path, http.Header{"Content-Type": {"application/json"}}, text)
}

// servedWithin waits until the first Envoy answers us/eng with this ad, or no more with it, and fails after two seconds.
func servedWithin(t *testing.T, s *stack.Stack, id string, there bool) {
	t.Helper()
	watch := stack.StartStopwatch()
	servedBy(t, s.Envoy(), s.Token(), 2*time.Second, id, there)
	t.Logf("%q served: %t, after %s", id, there, watch.Took().Round(time.Millisecond))
}

// servedBy waits until this Envoy answers us/eng with this ad, or no more with it, and fails after the time within.
func servedBy(t *testing.T, e *stack.Envoy, token string, within time.Duration, id string, there bool) {
	t.Helper()
	const turns = 6 // more than there are ads: one round of the cycle on whichever worker
	inTime(t, within, func(ctx context.Context) error {
		seen := false
		for range turns {
			a, err := e.Do(ctx, http.MethodGet, stack.AdPath("us", "eng"), "Bearer "+token, nil)
			if err != nil {
				return err
			}
			if a.Status != http.StatusOK {
				return fmt.Errorf("%s", a)
			}
			seen = seen || strings.Contains(string(a.Body), `"id":"`+id+`"`)
		}
		if seen != there {
			return fmt.Errorf("%q served by %s: %t", id, e.Name, seen)
		}
		return nil
	})
}

// TestOperators: a change is served by a real Envoy within two seconds, and taken back as fast, under load and without a failed request.
func TestOperators(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"), ad("b", "us", "eng")), Concurrency: 1})
	o := operator{s.ControlPlane()}
	l := startLoad(t, s.Envoy(), loadOptions{Token: s.Token(), Path: stack.AdPath("us", "eng"), Ask: always(wantAd("a", "b", "c"))})
	var before apiv1.Page[apiv1.Version]
	o.ask(t, "GET", "/versions", nil, 200, &before)
	require.NotEmpty(t, before.Items)

	o.ask(t, "POST", "/campaigns", ad("c", "us", "eng"), 201, nil)
	servedWithin(t, s, "c", true)
	t.Run("a rollback takes it back, and holds until it is resumed", func(t *testing.T) {
		o.ask(t, "POST", "/versions/"+before.Items[0].Version+"/rollback", apiv1.Comment{Comment: "not yet"}, 200, nil)
		servedWithin(t, s, "c", false)
		var pin apiv1.Pin
		o.ask(t, "GET", "/pin", nil, 200, &pin)
		require.Equal(t, before.Items[0].Version, pin.Version)
		require.NotEmpty(t, pin.Waiting)
		o.ask(t, "DELETE", "/pin", nil, 204, nil)
		servedWithin(t, s, "c", true)
	})
	t.Run("a source campaign that is paused goes, and comes back", func(t *testing.T) {
		o.ask(t, "PATCH", "/campaigns/a", map[string]any{"enabled": false}, 200, nil)
		servedWithin(t, s, "a", false)
		o.ask(t, "PATCH", "/campaigns/a", map[string]any{"enabled": true}, 200, nil)
		servedWithin(t, s, "a", true)
		o.ask(t, "DELETE", "/campaigns/b", nil, 409, nil)
	})
	t.Run("a revert undoes one change", func(t *testing.T) {
		o.ask(t, "POST", "/revisions/1/revert", nil, 200, nil)
		servedWithin(t, s, "c", false)
	})
	t.Run("of two who change one campaign the second is told what the first did", func(t *testing.T) {
		c := ad("d", "us", "spa")
		o.ask(t, "POST", "/campaigns", c, 201, nil)
		etag := o.ask(t, "GET", "/campaigns/d", nil, 200, nil).Get("Etag")
		require.NotEmpty(t, etag)
		put := func(hour, status int) apiv1.Conflict {
			c.EndHour = hour
			text, err := json.Marshal(c)
			require.NoError(t, err)
			a, err := stack.Send(t.Context(), "PUT", o.plane.URL+"/api/v1/campaigns/d", http.Header{"If-Match": {etag}}, text)
			require.NoError(t, err)
			require.Equal(t, status, a.Status, a.String())
			var conflict apiv1.Conflict
			require.NoError(t, json.Unmarshal(a.Body, &conflict))
			return conflict
		}
		put(12, 200)
		conflict := put(13, 412)
		require.Equal(t, "revision_conflict", conflict.Code)
		require.Len(t, conflict.Changed, 1)
		require.Equal(t, "end_hour", conflict.Changed[0].Field)
	})
	l.unharmed(t)
}

// TestOperatorsChangesSurviveKills: whatever was acknowledged is there after kill -9 in the middle of writes, and revisions have no gap.
func TestOperatorsChangesSurviveKills(t *testing.T) {
	s := start(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), NoEnvoy: true})
	o := operator{s.ControlPlane()}
	require.NoError(t, o.plane.WaitReady(deadline(t, 30*time.Second)))
	acknowledged := 0
	for round := range 4 {
		ended := make(chan int, 1)
		enough := make(chan struct{})
		go func() {
			n := acknowledged
			for {
				a, err := o.try(context.Background(), "POST", "/campaigns", ad(fmt.Sprintf("op-%05d", n), "us", "eng"))
				if err != nil || a.Status != http.StatusCreated {
					ended <- n
					return
				}
				n++
				if n == acknowledged+5+round {
					close(enough)
				}
			}
		}()
		<-enough
		o.plane.Kill()
		acknowledged = <-ended
		require.NoError(t, o.plane.Start(deadline(t, 30*time.Second)))
		require.NoError(t, o.plane.WaitReady(deadline(t, 30*time.Second)))

		var head apiv1.Page[apiv1.Revision]
		o.ask(t, "GET", "/revisions?limit=1000", nil, 200, &head)
		number := len(head.Items)
		require.GreaterOrEqual(t, number, acknowledged)
		require.LessOrEqual(t, number, acknowledged+round+1, "at most one write a kill was under way")
		for i, r := range head.Items {
			require.EqualValues(t, number-i, r.Number)
		}
		for i := range acknowledged {
			o.ask(t, "GET", "/campaigns/"+fmt.Sprintf("op-%05d", i), nil, 200, nil)
		}
		acknowledged = number // the next names are new
	}
	t.Logf("%d changes over 4 kills", acknowledged)
}

// TestAFlightEndsWithoutAControlPlane: the end is in the index, so an Envoy alone keeps to it.
func TestAFlightEndsWithoutAControlPlane(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), Module: hooks(t), Concurrency: 1})
	o := operator{s.ControlPlane()}
	end := time.Now().UTC().Truncate(time.Hour).Add(50 * time.Hour).Add(17 * time.Minute)
	o.ask(t, "POST", "/campaigns", map[string]any{
		"id": "flight", "video_url": "https://video.example.com/flight.mp4", "country": "us", "lang": "eng", "start_hour": 0, "end_hour": 0,
		"priority": 1, "end_at": end.Format(time.RFC3339),
	}, 201, nil)
	servedWithin(t, s, "flight", true)
	o.plane.Kill()
	for at, want := range map[time.Time]string{end.Add(-time.Second): "flight", end: "a", end.Add(30 * 24 * time.Hour): "a"} {
		a, err := stack.Send(deadline(t, 10*time.Second), http.MethodGet, s.Envoy().BaseURL+stack.AdPath("us", "eng"),
			http.Header{"Authorization": {"Bearer " + s.Token()}, "X-Test-Unix": {strconv.FormatInt(at.Unix(), 10)}}, nil)
		require.NoError(t, err)
		require.Equal(t, 200, a.Status, a.String())
		require.Contains(t, string(a.Body), `"id":"`+want+`"`, at)
	}
}

// TestOperatorsCommands: the command line does on a running control plane what its help says.
func TestOperatorsCommands(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), Concurrency: 1})
	t.Setenv("ADSIDECAR_SERVER", s.ControlPlane().URL)
	dir := files(t, map[string]string{
		"b.json":    `{"id":"b","video_url":"https://video.example.com/b.mp4","country":"us","lang":"eng","start_hour":0,"end_hour":0}`,
		"two.json":  string(document(t, ad("b", "us", "eng"), ad("c", "us", "eng"))),
		"bad.json":  "{\"ads\":[\n{\"id\":\"c\",\"video_url\":\"https://v/c\",\"country\":\"us\",\"lang\":\"eng\",\"start_hour\":0,\"end_hour\":0},\n{\"id\":\"d\",\"country\":\"u1\"}]}",
		"none.json": `{"ads":[]}`,
	})
	run := func(code int, line string) result {
		t.Helper()
		r := command{dir: dir}.run(t, strings.Fields(line)...)
		require.Equal(t, code, r.code, "%s: %s%s", line, r.stdout, r.stderr)
		return r
	}
	var versions apiv1.Page[apiv1.Version]
	require.NoError(t, json.Unmarshal([]byte(run(0, "versions -o json").stdout), &versions))
	require.Contains(t, run(0, "campaigns list").stdout, "a ")
	require.Contains(t, run(0, "diff -f two.json").stdout, "c")
	run(0, "campaigns apply -f b.json")
	servedWithin(t, s, "b", true)
	require.Regexp(t, `(?m)^  line 3: ad 2 \(d\): `, run(1, "campaigns apply -f bad.json").stderr)
	run(0, "campaigns apply -f two.json --comment both")
	servedWithin(t, s, "c", true)
	require.Contains(t, run(0, "history").stdout, "both")
	require.Equal(t, []string{"+ b: us/eng all day", "+ c: us/eng all day", "After revision 0 up to 2: 2 campaigns changed."}, strings.Split(strings.TrimSpace(run(0, "history 0 2").stdout), "\n"))
	require.Contains(t, run(0, "fleet").stdout, "envoy")
	require.Contains(t, run(0, "explain --live --country us --lang en").stdout, "b")
	run(0, "rollback "+versions.Items[0].Version)
	servedWithin(t, s, "c", false)
	run(0, "resume")
	servedWithin(t, s, "c", true)
	run(0, "revert 2")
	servedWithin(t, s, "c", false)
	t.Run("what was done through the API is told with who did it and why", func(t *testing.T) {
		o, version := operator{s.ControlPlane()}, versions.Items[0].Version
		o.ask(t, "POST", "/versions/"+version+"/rollback", apiv1.Comment{Comment: "through the API"}, 200, nil)
		o.ask(t, "DELETE", "/pin", nil, 204, nil)
		told := run(0, "history --actions").stdout
		done := regexp.MustCompile(`(?m)^\S+ \S+Z +(local\S*) +(rollback|resume) +`+version[:12]+` +- +(.*)$`).FindAllStringSubmatch(told, -1)
		require.Len(t, done, 4, told)
		for i, want := range [][]string{{"resume", "-"}, {"rollback", "through the API"}, {"resume", "-"}, {"rollback", "-"}} {
			require.Equal(t, want, done[i][2:], told)
			require.Equal(t, done[0][1], done[i][1], "whoever runs this test")
		}
		var actions apiv1.Page[apiv1.Action]
		require.NoError(t, json.Unmarshal([]byte(run(0, "history --actions -o json").stdout), &actions))
		require.Equal(t, "through the API", actions.Items[1].Comment)
		require.Equal(t, version, actions.Items[1].Version)
	})
	run(0, "campaigns pause a")
	servedWithin(t, s, "a", false)
	run(0, "campaigns unpause a")
	run(0, "campaigns delete b")
	require.JSONEq(t, string(document(t, ad("a", "us", "eng"))), run(0, "campaigns export").stdout)
	require.Contains(t, run(3, "campaigns delete a").stderr, "from_source")
}
