package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// statusPage is what an operator finds at /api/v1/status.
type statusPage struct {
	Time    time.Time
	Started time.Time
	Format  int `json:"index_format"`
	Source  struct {
		Kind, Location, Error string
		LastResult            string    `json:"last_result"`
		LastSuccess           time.Time `json:"last_success"`
		Age                   *float64  `json:"age_seconds"`
		ErrorSince            time.Time `json:"error_since"`
		Failures              int       `json:"consecutive_failures"`
		DocumentTime          time.Time `json:"document_time"`
		FromDisk              bool      `json:"served_from_disk"`
	}
	Index *struct {
		Version          string
		Bytes, Ads, Keys int
		PublishedAt      time.Time `json:"published_at"`
		SourceTime       time.Time `json:"source_time"`
	}
	Rejected struct {
		Total    int
		ByReason map[string]int `json:"by_reason"`
		First    []struct {
			Index             int
			Line              int
			ID, Field, Reason string
			Detail            string
		}
	}
	Quarantined string `json:"quarantined_version"`
	XDS         struct {
		Types []struct {
			Type    string
			Offered *struct {
				Version                         string
				Acknowledged, Rejected, Pending int
			}
			Acknowledged string `json:"last_acknowledged"`
			Quarantined  []struct{ Version string }
		}
		Envoys []envoyStatus
	}
}

// envoyStatus is one Envoy of it.
type envoyStatus struct {
	Node, Address  string
	Connected      bool
	ConnectedSince time.Time `json:"connected_since"`
	Disconnected   time.Time
	LastSeenAge    float64 `json:"last_seen_age_seconds"`
	Types          []envoyType
}

// envoyType is what an Envoy makes of one type: lds, cds or ecds.
type envoyType struct {
	Type, Acknowledged, Sent string
	InSync                   bool `json:"in_sync"`
	LastAck                  *struct {
		At  time.Time
		Age float64 `json:"age_seconds"`
	} `json:"last_ack"`
	LastNack *struct {
		At      time.Time
		Age     float64 `json:"age_seconds"`
		Version string
		Text    string
		Current bool
	} `json:"last_nack"`
}

// page reads the status.
func page(t *testing.T, s *stack.Stack) statusPage {
	t.Helper()
	var p statusPage
	require.NoError(t, s.ControlPlane().Status(deadline(t, 10*time.Second), &p))
	return p
}

// pageWhen waits until the status is as it is to be.
func pageWhen(t *testing.T, s *stack.Stack, is func(p statusPage) bool) statusPage {
	t.Helper()
	var p statusPage
	eventually(t, 30*time.Second, func(ctx context.Context) error {
		p = statusPage{}
		if err := s.ControlPlane().Status(ctx, &p); err != nil {
			return err
		}
		if !is(p) {
			return fmt.Errorf("%+v", p)
		}
		return nil
	})
	return p
}

// of returns what the page's only Envoy makes of a type.
func (p statusPage) of(kind string) (envoyType, bool) {
	for _, e := range p.XDS.Envoys {
		for _, of := range e.Types {
			if of.Type == kind {
				return of, true
			}
		}
	}
	return envoyType{}, false
}

// series reads the control plane's metrics.
func series(t *testing.T, s *stack.Stack) map[string]float64 {
	t.Helper()
	m, err := s.ControlPlane().Metrics(deadline(t, 10*time.Second))
	require.NoError(t, err)
	return m
}

// admin asks the control plane's own address.
func admin(t *testing.T, s *stack.Stack, method, path string) *stack.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(deadline(t, 10*time.Second), method, s.ControlPlane().URL+path, nil)
	require.NoError(t, err)
	resp, err := client(t, false).Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	return &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// TestControlPlaneTellsItsState: health, readiness, metrics and status, from the first failed poll to a rejected index.
func TestControlPlaneTellsItsState(t *testing.T) {
	bad := func(change func(*campaign)) campaign {
		c := ad("bad", "us", "eng")
		change(&c)
		return c
	}
	good := []campaign{ad("a", "us", "eng"), ad("b", "gb", "eng")}
	source := deadSource(t, document(t, append(good,
		bad(func(c *campaign) { c.ID = "a" }),
		bad(func(c *campaign) { c.ID, c.EndHour = "x", 25 }),
		bad(func(c *campaign) { c.ID, c.EndHour = "y", 99 }),
		bad(func(c *campaign) { c.VideoURL = "ftp://v" }),
	)...))
	began := time.Now().Add(-time.Second)
	s := start(t, stack.Options{Source: source, Module: hooks(t)})

	t.Run("before there is an index", func(t *testing.T) {
		a := admin(t, s, "GET", "/healthz")
		require.Equal(t, 200, a.Status)
		require.JSONEq(t, `{"status":"healthy"}`, string(a.Body))
		a = admin(t, s, "GET", "/readyz")
		require.Equal(t, 503, a.Status)
		require.Equal(t, "not_ready", a.Code())

		p := pageWhen(t, s, func(p statusPage) bool {
			of, ok := p.of("lds")
			return p.Source.Failures > 1 && ok && of.InSync
		})
		require.Nil(t, p.Index)
		require.Equal(t, []any{"http", source.URL(), "error"}, []any{p.Source.Kind, p.Source.Location, p.Source.LastResult})
		require.Contains(t, p.Source.Error, "500")
		require.Nil(t, p.Source.Age, "there was no success")
		require.True(t, p.Source.ErrorSince.After(began) && !p.Source.ErrorSince.After(p.Time), p.Source.ErrorSince)
		require.True(t, p.Started.After(began) && p.Started.Before(p.Time), p.Started)
		require.Equal(t, 2, p.Format)
		require.Len(t, p.XDS.Envoys, 1)
		require.True(t, p.XDS.Envoys[0].Connected)
		require.Equal(t, "envoy", p.XDS.Envoys[0].Node)
		require.NotEmpty(t, p.XDS.Envoys[0].Address)
		require.NotEmpty(t, p.XDS.Types)

		m := series(t, s)
		require.Positive(t, m[`adsidecar_source_consecutive_failures`])
		require.Positive(t, m[`adsidecar_source_polls_total{result="error"}`])
		require.Zero(t, m[`adsidecar_source_last_success_timestamp_seconds`])
		require.Zero(t, m[`adsidecar_index_publishes_total`])
		require.Equal(t, 1.0, m[`adsidecar_xds_envoys{state="connected"}`])
	})

	source.SetMode(stack.SourceServes)
	published := pageWhen(t, s, func(p statusPage) bool {
		of, _ := p.of("ecds")
		return p.Index != nil && of.InSync && of.Acknowledged == p.Index.Version
	})
	t.Run("with an index and rejected ads", func(t *testing.T) {
		p := published
		require.Equal(t, 200, admin(t, s, "GET", "/readyz").Status)
		require.Regexp(t, "^[0-9a-f]{32}$", p.Index.Version)
		require.Equal(t, 2, p.Index.Ads)
		require.Positive(t, p.Index.Keys)
		require.Positive(t, p.Index.Bytes)
		require.False(t, p.Index.SourceTime.IsZero() || p.Index.PublishedAt.Before(began))
		require.NotNil(t, p.Source.Age)
		require.Less(t, *p.Source.Age, 10.0)
		require.Empty(t, p.Source.Error)
		require.Zero(t, p.Source.Failures)

		require.Equal(t, 4, p.Rejected.Total)
		require.Equal(t, map[string]int{"duplicate": 1, "out_of_range": 2, "invalid_url": 1}, p.Rejected.ByReason)
		require.Len(t, p.Rejected.First, 4)
		first := p.Rejected.First[0]
		require.Equal(t, []any{2, "a", "id", "duplicate"}, []any{first.Index, first.ID, first.Field, first.Reason})
		require.NotEmpty(t, first.Detail)

		for _, kind := range []string{"lds", "cds", "ecds"} {
			of, ok := p.of(kind)
			require.True(t, ok, kind)
			require.True(t, of.InSync, kind)
			require.NotEmpty(t, of.Acknowledged, kind)
			require.NotNil(t, of.LastAck, kind)
			require.Nil(t, of.LastNack, kind)
			require.InDelta(t, p.Time.Sub(of.LastAck.At).Seconds(), of.LastAck.Age, 0.5, kind)
		}

		m := series(t, s)
		require.Equal(t, 1.0, m[`adsidecar_index_info{version="`+p.Index.Version+`"}`])
		require.EqualValues(t, p.Index.Bytes, m[`adsidecar_index_bytes`])
		require.Equal(t, 2.0, m[`adsidecar_index_ads`])
		require.EqualValues(t, p.Index.SourceTime.Unix(), m[`adsidecar_index_source_timestamp_seconds`])
		require.Equal(t, 2.0, m[`adsidecar_ads_rejected{reason="out_of_range"}`])
		require.Equal(t, 1.0, m[`adsidecar_ads_rejected{reason="duplicate"}`])
		require.Zero(t, m[`adsidecar_ads_rejected{reason="invalid_lang"}`])
		require.Zero(t, m[`adsidecar_source_consecutive_failures`])
		require.Equal(t, 1.0, m[`adsidecar_xds_acks_total{type="ecds"}`])
		require.Zero(t, m[`adsidecar_xds_nacks_total{type="ecds"}`])
	})
	t.Run("polls that find nothing new keep the age low, and push nothing", func(t *testing.T) {
		before := series(t, s)
		require.NoError(t, source.WaitRequests(deadline(t, 30*time.Second), 4))
		after, p := series(t, s), page(t, s)
		require.Less(t, *p.Source.Age, 10.0)
		require.Equal(t, "not_modified", p.Source.LastResult)
		require.Greater(t, after[`adsidecar_source_polls_total{result="not_modified"}`], before[`adsidecar_source_polls_total{result="not_modified"}`])
		for _, name := range []string{`adsidecar_index_publishes_total`, `adsidecar_xds_pushes_total{type="ecds"}`, `adsidecar_xds_acks_total{type="ecds"}`} {
			require.Equal(t, before[name], after[name], name)
		}
		of, _ := p.of("ecds")
		require.Greater(t, of.LastAck.Age, 0.5)
	})
	t.Run("an index that the Envoy rejects", func(t *testing.T) {
		source.SetBody(document(t, append(good, ad("z", "zz", "zzz"))...)) // which the module with test hooks refuses
		p := pageWhen(t, s, func(p statusPage) bool {
			of, _ := p.of("ecds")
			return of.LastNack != nil && p.Quarantined != ""
		})
		require.NotEqual(t, published.Index.Version, p.Quarantined)
		require.Equal(t, published.Index.Version, p.Index.Version, "the last good one")
		of, _ := p.of("ecds")
		require.Equal(t, p.Quarantined, of.LastNack.Version)
		require.NotEmpty(t, of.LastNack.Text)
		require.InDelta(t, p.Time.Sub(of.LastNack.At).Seconds(), of.LastNack.Age, 0.5)
		require.Equal(t, published.Index.Version, of.Acknowledged)
		m := series(t, s)
		require.Equal(t, 1.0, m[`adsidecar_xds_nacks_total{type="ecds"}`])
		require.Equal(t, 1.0, m[`adsidecar_xds_rollbacks_total{type="ecds"}`])
		require.Equal(t, 1.0, m[`adsidecar_xds_quarantined_versions`])
		require.Equal(t, 1.0, m[`adsidecar_index_quarantined`])
		require.Equal(t, 200, admin(t, s, "GET", "/readyz").Status)
		require.Equal(t, "b", connect(t, s).id(t, "gb", "eng"))
	})
	t.Run("a source that fails again", func(t *testing.T) {
		source.SetMode(stack.SourceHTML)
		p := pageWhen(t, s, func(p statusPage) bool { return p.Source.Failures > 2 })
		require.Equal(t, "unusable", p.Source.LastResult)
		require.NotEmpty(t, p.Source.Error)
		require.False(t, p.Source.ErrorSince.IsZero())
		require.Equal(t, published.Index.Version, p.Index.Version)
		require.Greater(t, *p.Source.Age, 0.1)
		later := pageWhen(t, s, func(later statusPage) bool { return later.Source.Failures > p.Source.Failures })
		require.Greater(t, *later.Source.Age, *p.Source.Age)
		require.Equal(t, p.Source.ErrorSince, later.Source.ErrorSince)
		require.EqualValues(t, 3, min(3, series(t, s)[`adsidecar_source_consecutive_failures`]))
		require.Equal(t, 200, admin(t, s, "GET", "/readyz").Status)
		require.Equal(t, "a", connect(t, s).id(t, "us", "eng"))
	})
	t.Run("an Envoy that goes and comes back", func(t *testing.T) {
		require.NoError(t, s.Envoy().Stop())
		p := pageWhen(t, s, func(p statusPage) bool { return len(p.XDS.Envoys) == 1 && !p.XDS.Envoys[0].Connected })
		require.False(t, p.XDS.Envoys[0].Disconnected.IsZero())
		require.Zero(t, series(t, s)[`adsidecar_xds_envoys{state="connected"}`])
		require.NoError(t, s.Envoy().Start(deadline(t, time.Minute)))
		pageWhen(t, s, func(p statusPage) bool {
			last := p.XDS.Envoys[len(p.XDS.Envoys)-1]
			return last.Connected && series(t, s)[`adsidecar_xds_envoys{state="connected"}`] == 1
		})
	})
	t.Run("its own address answers GET and HEAD of four paths", func(t *testing.T) {
		for path, kind := range map[string]string{
			"/healthz": "application/json", "/readyz": "application/json", "/api/v1/status": "application/json", "/metrics": "text/plain",
		} {
			require.Contains(t, admin(t, s, "GET", path).Header.Get("Content-Type"), kind, path)
			a := admin(t, s, "HEAD", path)
			require.Equal(t, 200, a.Status, path)
			require.Empty(t, a.Body, path)
			a = admin(t, s, "POST", path)
			require.Equal(t, []any{405, "method_not_allowed", "GET, HEAD"}, []any{a.Status, a.Code(), a.Header.Get("Allow")}, path)
		}
		require.Equal(t, 200, admin(t, s, "GET", "/").Status, "the console")
		for path, code := range map[string]string{"/api": "", "/api/v1/status/": "not_found", "/api/v1/nothing": "not_found", "/debug/pprof/": ""} {
			a := admin(t, s, "GET", path)
			require.Equal(t, 404, a.Status, path)
			if code != "" {
				require.Equal(t, code, a.Code(), path)
			}
		}
	})
}
