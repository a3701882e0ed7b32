package e2e

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// A metricRow is a row about Envoy in docs/METRICS.md: type and labels of a metric.
type metricRow struct {
	kind   string
	labels []string
}

// envoyRows returns the rows of the page's last section, by the metric's name.
func envoyRows(t *testing.T) map[string]metricRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tools.Root, "docs", "METRICS.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Envoy\n")
	require.True(t, found)
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| (counter|gauge|histogram) \\| [^|]+ \\|([^|]*)\\|")
	label := regexp.MustCompile("`([a-z_]+)`")
	rows := map[string]metricRow{}
	for _, cells := range row.FindAllStringSubmatch(section, -1) {
		r := metricRow{kind: cells[2], labels: []string{}}
		for _, l := range label.FindAllStringSubmatch(cells[3], -1) {
			r.labels = append(r.labels, l[1])
		}
		slices.Sort(r.labels)
		rows[cells[1]] = r
	}
	require.Len(t, rows, strings.Count(section, "| counter |")+strings.Count(section, "| gauge |")+strings.Count(section, "| histogram |"))
	return rows
}

// exported returns what an Envoy says of its metrics, and the sum of the series of each, of a histogram's buckets.
func exported(t *testing.T, e *stack.Envoy) (rows map[string]metricRow, sums map[string]float64) {
	t.Helper()
	a, err := stack.Send(deadline(t, 10*time.Second), http.MethodGet, e.AdminURL+"/stats/prometheus", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
	rows, sums = map[string]metricRow{}, map[string]float64{}
	for _, cells := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(a.Body), -1) {
		rows[cells[1]] = metricRow{kind: cells[2]}
	}
	series := regexp.MustCompile(`^([a-zA-Z0-9_]+)\{(.*)\}$`)
	label := regexp.MustCompile(`([a-zA-Z0-9_]+)="`)
	all, err := e.Stats(deadline(t, 10*time.Second))
	require.NoError(t, err)
	for of, value := range all {
		cells := series.FindStringSubmatch(of)
		require.NotNil(t, cells, of)
		name := cells[1]
		if base := strings.TrimSuffix(name, "_bucket"); rows[base].kind == "histogram" {
			name = base
		}
		r, known := rows[name]
		if !known {
			continue // sum and count of a histogram
		}
		r.labels = []string{}
		for _, l := range label.FindAllStringSubmatch(cells[2], -1) {
			if l[1] != "le" {
				r.labels = append(r.labels, l[1])
			}
		}
		slices.Sort(r.labels)
		rows[name] = r
		sums[name] += value
	}
	return rows, sums
}

// TestDocumentedEnvoyMetrics: every metric of Envoy's in docs/METRICS.md is at a real Envoy, of that type and with those labels, whichever
// statistics it makes, and tells of the traffic that it is about.
func TestDocumentedEnvoyMetrics(t *testing.T) {
	documented := envoyRows(t)
	for _, stats := range []string{"all", "own"} {
		t.Run("envoy.stats: "+stats, func(t *testing.T) {
			source := deadSource(t, document(t, ad("a", "us", "eng")))
			s := start(t, stack.Options{Source: source, Module: hooks(t), Gateway: "envoy: {stats: " + stats + "}"})
			asks := func(status int, method, path, token string, header http.Header) {
				t.Helper()
				header = header.Clone()
				if header == nil {
					header = http.Header{}
				}
				if token != "" {
					header.Set("Authorization", "Bearer "+token)
				}
				a, err := s.Envoy().Send(deadline(t, 20*time.Second), method, path, header, nil)
				require.NoError(t, err)
				require.Equal(t, status, a.Status, a)
			}
			other, err := s.Pool.Client(t.Context(), "another-game")
			require.NoError(t, err)
			foreign, err := s.Pool.SignIn(t.Context(), other, stack.Username, stack.Password)
			require.NoError(t, err)

			asks(503, "GET", adQuery, s.Token(), nil)
			source.SetMode(stack.SourceServes)
			require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
			asks(200, "GET", adQuery, s.Token(), nil)
			asks(404, "GET", "/ad_request?country=zz&lang=eng", s.Token(), nil)
			asks(400, "GET", "/ad_request", s.Token(), nil)
			asks(401, "GET", adQuery, "", nil)
			asks(403, "GET", adQuery, foreign.AccessToken, nil)
			asks(500, "GET", adQuery, s.Token(), http.Header{"X-Test-Panic": {"go"}})
			asks(503, "GET", adQuery, s.Token(), http.Header{"X-Test-Panic": {"trap"}})
			require.NoError(t, s.WaitServed(deadline(t, 10*time.Second)))

			const duration = "envoy_http_downstream_rq_time"
			var have map[string]metricRow
			var sums map[string]float64
			eventually(t, 30*time.Second, func(context.Context) error {
				if have, sums = exported(t, s.Envoy()); sums[duration] == 0 {
					return errors.New("no duration yet: Envoy adds them up every 5 s")
				}
				return nil
			})
			for name, row := range documented {
				require.Contains(t, have, name, "in docs/METRICS.md, but at no Envoy")
				require.Equal(t, row, have[name], "%s: docs/METRICS.md (expected) says otherwise than Envoy (actual)", name)
				switch name {
				case "envoy_http_jwt_authn_jwks_fetch_failed", "envoy_wasm_adsidecar_vm_reload_failure", "adsidecar_source_time",
					"envoy_extension_config_discovery_http_filter_adsidecar_config_fail": // nothing of the kind happened, or it is checked below
				default:
					require.Positive(t, sums[name], name)
				}
			}
			require.InDelta(t, time.Now().Unix(), sums["adsidecar_source_time"], 120)
			require.EqualValues(t, 1, sums["adsidecar_ads"])
		})
	}
}
