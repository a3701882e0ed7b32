package promcheck

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// readRules returns the alert rules by name.
func readRules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.Parse([]byte(readFile(t, "../alerts.yaml")), false, model.LegacyValidation)
	require.Empty(t, errs)
	rules := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			require.NotContains(t, rules, rule.Alert)
			rules[rule.Alert] = rule
		}
	}
	require.NotEmpty(t, rules)
	return rules
}

// row is a metric's row in a table of docs/METRICS.md: name, type, unit, labels.
var row = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\|[^|]*\\|([^|]*)\\|")

// documented returns the series that docs/METRICS.md describes, each with its labels: a histogram's are three.
func documented(t *testing.T) map[string]string {
	t.Helper()
	series := map[string]string{"up": "`job`"} // Prometheus makes it
	for _, cells := range row.FindAllStringSubmatch(readFile(t, "../../docs/METRICS.md"), -1) {
		if cells[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				series[cells[1]+suffix] = cells[3] + "`le`"
			}
			continue
		}
		series[cells[1]] = cells[3]
	}
	require.Greater(t, len(series), 1)
	return series
}

// requireDocumented parses an expression and checks that each of its selectors names a metric of docs/METRICS.md, and labels of that.
func requireDocumented(t *testing.T, series map[string]string, expression string) {
	t.Helper()
	parsed, err := parser.ParseExpr(expression)
	require.NoError(t, err, expression)
	selectors := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		selectors++
		require.Contains(t, series, selector.Name, "not in docs/METRICS.md; in %s", expression)
		for _, m := range selector.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				require.Contains(t, series[selector.Name], "`"+m.Name+"`", "%s has no such label; in %s", selector.Name, expression)
			}
		}
		return nil
	})
	require.Positive(t, selectors, "an expression without a metric: %s", expression)
}

// panel is what of a dashboard's panel is checked.
type panel struct {
	ID         int    `json:"id"`
	Type       string `json:"type"`
	Title      string `json:"title"`
	Datasource struct{ Type, UID string }
	GridPos    struct{ X, Y, W, H int }
	Targets    []struct{ Expr, RefID, LegendFormat string }
}

func TestDashboard(t *testing.T) {
	var dashboard struct {
		UID, Title string
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []panel
	}
	decoder := json.NewDecoder(strings.NewReader(readFile(t, "../grafana.json")))
	require.NoError(t, decoder.Decode(&dashboard))
	require.NotEmpty(t, dashboard.UID)
	require.Len(t, dashboard.Templating.List, 1)
	require.Equal(t, "datasource", dashboard.Templating.List[0].Type)
	source := "${" + dashboard.Templating.List[0].Name + "}"

	series := documented(t)
	ids := map[int]bool{}
	type cell struct{ x, y int }
	taken := map[cell]string{}
	for _, p := range dashboard.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[cell{x, y}], "%q covers it", p.Title)
				taken[cell{x, y}] = p.Title
				require.Less(t, x, 24, "%q is wider than the grid", p.Title)
			}
		}
		if p.Type == "row" {
			require.Empty(t, p.Targets)
			continue
		}
		require.Equal(t, "prometheus", p.Datasource.Type, p.Title)
		require.Equal(t, source, p.Datasource.UID, "%q has a datasource of its own", p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		refs := map[string]bool{}
		for _, target := range p.Targets {
			require.False(t, refs[target.RefID], "%q has two queries %s", p.Title, target.RefID)
			refs[target.RefID] = true
			// Grafana puts in the interval before Prometheus sees it.
			requireDocumented(t, series, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
}
