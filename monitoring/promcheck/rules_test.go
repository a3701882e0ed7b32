package promcheck

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	series := documented(t)
	runbook := readFile(t, "../../docs/OPERATIONS.md")
	rules := readRules(t)
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			requireDocumented(t, series, rule.Expr)
			require.Regexp(t, "^Adsidecar[A-Z]", name)
			require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"])
			require.Len(t, rule.Labels, 1)
			require.NotEmpty(t, rule.Annotations["summary"])
			require.NotEmpty(t, rule.Annotations["description"])
			require.Equal(t, "docs/OPERATIONS.md#"+strings.ToLower(name), rule.Annotations["runbook_url"])
			require.Contains(t, runbook, "\n### "+name+"\n", "docs/OPERATIONS.md has no section for it")
		})
	}
	for _, section := range regexp.MustCompile(`(?m)^### (Adsidecar\w+)$`).FindAllStringSubmatch(runbook, -1) {
		require.Contains(t, rules, section[1], "docs/OPERATIONS.md has a section for an alert that is none")
	}
}
