package contract

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

//go:embed allow.yaml
var allowed []byte

// entry is a failure that is allowed.
type entry struct {
	Check     string `yaml:"check"`
	Operation string `yaml:"operation"`
	Status    int    `yaml:"status"`
	Code      string `yaml:"code"`
	Field     string `yaml:"field"`
	Reason    string `yaml:"reason"`

	used int
}

// readAllowed reads a list. Each entry must say what it is for.
func readAllowed(data []byte) ([]*entry, error) {
	var list []*entry
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("read the allow list: %w", err)
	}
	var err error
	for i, e := range list {
		_, path, ok := strings.Cut(e.Operation, " ")
		if e.Check == "" || e.Status == 0 || strings.TrimSpace(e.Reason) == "" || !ok || path == "" {
			err = errors.Join(err, fmt.Errorf("read the allow list: entry %d: check, operation (METHOD PATH), status and reason are needed", i+1))
		}
	}
	return list, err
}

// allows reports whether the exchange may fail the check, and counts it.
func (e *entry) allows(x *exchange, check string) bool {
	method, path, _ := strings.Cut(e.Operation, " ")
	ok := e.Check == check && e.Status == x.status &&
		(method == "*" || method == x.method) && (path == "*" || path == x.path()) &&
		(e.Code == "" || e.Code == x.code) && (e.Field == "" || e.Field == x.field)
	if ok {
		e.used++
	}
	return ok
}

// String names the entry.
func (e *entry) String() string {
	return fmt.Sprintf("%s: %s: %d %s", e.Check, e.Operation, e.Status, e.Code)
}

func TestAnEntryAllowsWhatItSaysAndNothingElse(t *testing.T) {
	x := &exchange{method: "PUT", uri: "http://localhost:1/update?a=b", status: 412, code: "revision_conflict", field: "f"}
	for name, c := range map[string]struct {
		entry entry
		want  bool
	}{
		"the same":            {entry{Operation: "PUT /update", Status: 412, Code: "revision_conflict", Field: "f"}, true},
		"any code":            {entry{Operation: "PUT /update", Status: 412}, true},
		"any path":            {entry{Operation: "PUT *", Status: 412}, true},
		"any method":          {entry{Operation: "* /update", Status: 412}, true},
		"another method":      {entry{Operation: "POST /update", Status: 412}, false},
		"a path that is part": {entry{Operation: "PUT /upda", Status: 412}, false},
		"another status":      {entry{Operation: "PUT /update", Status: 400}, false},
		"another code":        {entry{Operation: "PUT /update", Status: 412, Code: "internal"}, false},
		"another field":       {entry{Operation: "PUT /update", Status: 412, Field: "g"}, false},
		"another check":       {entry{Operation: "PUT /update", Status: 412, Check: "ignored_auth"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.entry.Check == "" {
				c.entry.Check = "positive_data_acceptance"
			}
			require.Equal(t, c.want, c.entry.allows(x, "positive_data_acceptance"))
			require.Equal(t, c.want, c.entry.used > 0)
		})
	}
}

func TestAnAllowListWithoutReasonsIsRefused(t *testing.T) {
	for name, list := range map[string]string{
		"no reason":        "[{check: c, operation: GET /a, status: 400}]",
		"a blank reason":   "[{check: c, operation: GET /a, status: 400, reason: ' '}]",
		"no path":          "[{check: c, operation: GET, status: 400, reason: r}]",
		"no check":         "[{operation: GET /a, status: 400, reason: r}]",
		"no status":        "[{check: c, operation: GET /a, reason: r}]",
		"an unknown field": "[{check: c, operation: GET /a, status: 400, reason: r, path: /b}]",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAllowed([]byte(list))
			require.Error(t, err)
		})
	}
	list, err := readAllowed([]byte("[{check: c, operation: GET /a, status: 400, reason: r}]"))
	require.NoError(t, err)
	require.Len(t, list, 1)
}
