package promcheck

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
)

// scenario is a history of series, one sample a minute in the notation of promtool, and what fires at its end.
type scenario struct {
	series string
	minute int      // when to look
	want   []string // labels of what fires, without severity; empty is quiet
}

// one fires without a label of its own.
var one = []string{"{}"}

func TestAlerts(t *testing.T) {
	rules := readRules(t)
	for name := range rules {
		fires, quiet := false, false
		for _, s := range scenarios[name] {
			fires, quiet = fires || len(s.want) > 0, quiet || len(s.want) == 0
		}
		require.True(t, fires && quiet, "%s needs a scenario in which it fires, and one in which it does not", name)
	}
	for alert, tests := range scenarios {
		for name, s := range tests {
			t.Run(alert+"/"+name, func(t *testing.T) {
				require.Contains(t, rules, alert)
				require.ElementsMatch(t, s.want, firing(t, rules[alert], s))
			})
		}
	}
}

// firing evaluates rule each minute until the scenario's and returns the labels of what fires then.
func firing(t *testing.T, rule rulefmt.Rule, s scenario) []string {
	t.Helper()
	store := promqltest.LoadedStorage(t, "load 1m\n"+indent(s.series))
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
	})
	expression, err := parser.ParseExpr(rule.Expr)
	require.NoError(t, err)
	alerting := rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
		labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	for minute := max(0, s.minute-60); minute <= s.minute; minute++ { // no alert looks for longer than an hour
		_, err := alerting.Eval(t.Context(), 0, time.Unix(int64(minute)*60, 0), rules.EngineQueryFunc(engine, store), nil, 0)
		require.NoError(t, err)
	}
	var found []string
	for _, alert := range alerting.ActiveAlerts() {
		if alert.State != rules.StateFiring {
			continue
		}
		for name, text := range alert.Annotations.Map() {
			require.NotContains(t, text, "error expanding template", name)
		}
		kept := slices.DeleteFunc(strings.Split(strings.Trim(alert.Labels.String(), "{}"), ", "), func(l string) bool {
			return strings.HasPrefix(l, "alertname=") || strings.HasPrefix(l, "severity=")
		})
		found = append(found, "{"+strings.Join(kept, ", ")+"}")
	}
	return found
}

func indent(series string) string {
	var b strings.Builder
	for line := range strings.Lines(series) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}
