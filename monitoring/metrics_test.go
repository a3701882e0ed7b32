package monitoring

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
)

// row is a metric's row in a table of docs/METRICS.md: name, type, unit, labels, meaning.
var (
	row   = regexp.MustCompile("^\\| `([a-z0-9_]+)` \\| (counter|gauge|histogram) \\| ([^|]+) \\|([^|]*)\\| ([^|]+) \\|$")
	label = regexp.MustCompile("`([a-z_]+)`")
)

// A description is what docs/METRICS.md and the programs must agree on: the type, and the names of the labels.
type description struct{ kind, labels string }

func describe(kind string, labels []string) description {
	slices.Sort(labels)
	return description{kind: strings.ToLower(kind), labels: strings.Join(labels, ",")}
}

// documented returns the metrics of docs/METRICS.md by name: the programs', and those that Envoys have.
func documented(t *testing.T) (ours, envoys map[string]description) {
	t.Helper()
	page, err := os.ReadFile("../docs/METRICS.md")
	require.NoError(t, err)
	ours, envoys = map[string]description{}, map[string]description{}
	into := ours
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if line == "## Envoy" {
			into = envoys
		}
		if !strings.HasPrefix(line, "| `adsidecar_") && !strings.HasPrefix(line, "| `envoy_") {
			continue
		}
		cells := row.FindStringSubmatch(line)
		require.NotNil(t, cells, "a row that is not name, type, unit, labels, meaning: %s", line)
		require.NotContains(t, into, cells[1], "described twice")
		var labels []string
		for _, l := range label.FindAllStringSubmatch(cells[4], -1) {
			labels = append(labels, l[1])
		}
		into[cells[1]] = describe(cells[2], labels)
	}
	require.NotEmpty(t, envoys)
	return ours, envoys
}

func TestEveryMetricIsDocumented(t *testing.T) {
	families, err := registered(t).Gather()
	require.NoError(t, err)
	have := map[string]description{}
	for _, f := range families {
		var labels []string
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		have[f.GetName()] = describe(f.GetType().String(), labels)
	}
	for _, name := range storeMetrics(t) {
		have[name] = describe("gauge", nil)
		if strings.HasSuffix(name, "_total") {
			have[name] = describe("counter", nil)
		}
	}
	ours, _ := documented(t)
	for name, d := range have {
		require.Contains(t, ours, name, "not in docs/METRICS.md: add a row")
		require.Equal(t, d, ours[name], "%s: docs/METRICS.md (actual) says otherwise than the program (expected)", name)
	}
	for name := range ours {
		require.Contains(t, have, name, "in docs/METRICS.md, but in no program")
	}
}

func TestFilterMetricsAreDocumented(t *testing.T) {
	_, envoys := documented(t)
	var page []string
	for name := range envoys {
		if own, ok := strings.CutPrefix(name, "adsidecar_"); ok {
			page = append(page, own)
		}
	}
	require.ElementsMatch(t, literals(t, "../filter/plugin/metrics.go", `"adsidecar\.([a-z_]+)"`), page)
}

// TestAllMakersAreRegistered: a package that begins to make metrics must be registered here, or its metrics are not looked for.
func TestAllMakersAreRegistered(t *testing.T) {
	makers := regexp.MustCompile(`prometheus\.(New(Counter|Gauge|Histogram|Summary|Untyped|Desc)|MustNew)|promauto\.`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && makers.Match(text) {
			found[filepath.ToSlash(filepath.Dir(path))] = true
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, map[string]bool{
		"../controlplane": true, "../controlplane/counters": true, "../controlplane/publish": true, "../controlplane/xds": true,
		"../internal/token": true, "../users": true, "../users/api": true, // registered, or read, in helper_test.go and above
	}, found)
}

// TestNamesKeepToTheConvention: there are no exceptions so far.
func TestNamesKeepToTheConvention(t *testing.T) {
	families, err := registered(t).Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)

	// Those of the stores are not registered here.
	var page strings.Builder
	for _, name := range storeMetrics(t) {
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		fmt.Fprintf(&page, "# HELP %s Help.\n# TYPE %s %s\n%s 1\n", name, name, kind, name)
	}
	problems, err = promlint.New(strings.NewReader(page.String())).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}
