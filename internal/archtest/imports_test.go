package archtest

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportRules(t *testing.T) {
	eachPackage(t, func(t *testing.T, folder string, files []goFile) {
		r, known := rules[folder]
		require.True(t, known, "package %s has no import rule: say in rules_test.go what it may import and why", folder)
		for _, file := range files {
			for _, imported := range file.imports {
				if fault := r.fault(folder, file, imported); fault != "" {
					t.Errorf("%s imports %s: %s", file.path, imported, fault)
				}
			}
		}
	})
}

// fault says why file, of the package in folder, must not import a package; "" when it may.
func (r rule) fault(folder string, file goFile, imported string) string {
	for library, c := range confined {
		if under(imported, library) && !slices.Contains(c.to, folder) {
			return "only " + strings.Join(c.to, " and ") + " may: " + c.why
		}
	}
	if own, ok := ours(imported); ok {
		switch {
		case matches(own, r.ours), file.test && (own == folder || matches(own, r.tests)):
			return ""
		default:
			return "not among what " + folder + " may import of this module: " + r.why
		}
	}
	if standard(imported) {
		if r.pure && !file.test && matches(imported, impure) {
			return folder + " is pure (no files, sockets, processes or logs): " + r.why
		}
		return ""
	}
	if file.test && matchesAny(imported, testLibraries) || matchesAny(imported, r.third) {
		return ""
	}
	return "not among the libraries of " + folder + ": " + r.why
}

// matches tells whether path is one of list, where "a/..." is a and all below it.
func matches(path string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		prefix, below := strings.CutSuffix(entry, "/...")
		return path == entry || below && under(path, prefix)
	})
}

func matchesAny(imported string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return p == "" || under(imported, p) })
}

// TestRulesAreAlive fails for a rule or an allowance about a package that does not exist: it would hold nothing.
func TestRulesAreAlive(t *testing.T) {
	packages := goPackages(t)
	for _, folder := range slices.Sorted(maps.Keys(rules)) {
		if packages[folder] == nil {
			t.Errorf("rules_test.go has a rule for %s, which has no Go files", folder)
		}
		require.NotEmpty(t, rules[folder].why, "the rule of %s has no reason", folder)
		for _, entry := range slices.Concat(rules[folder].ours, rules[folder].tests) {
			if packages[strings.TrimSuffix(entry, "/...")] == nil {
				t.Errorf("the rule of %s allows %s, which has no Go files", folder, entry)
			}
		}
	}
}

// TestFault holds the reading of the rules themselves.
func TestFault(t *testing.T) {
	r := rule{ours: []string{"a/b", "tree/..."}, tests: []string{"model"}, third: []string{"example.com/lib"}, pure: true, why: "because"}
	code, test := goFile{path: "a/a.go"}, goFile{path: "a/a_test.go", test: true}
	tests := map[string]struct {
		file     goFile
		imported string
		fault    string
	}{
		"a package that the rule lists":                {file: code, imported: "adsidecar/a/b"},
		"a package below a listed tree":                {file: code, imported: "adsidecar/tree/x/y"},
		"a package below a listed package":             {file: code, imported: "adsidecar/a/b/c", fault: "because"},
		"a package that only tests may import":         {file: code, imported: "adsidecar/model", fault: "because"},
		"the same in a test":                           {file: test, imported: "adsidecar/model"},
		"the package itself in an external test":       {file: test, imported: "adsidecar/a"},
		"a listed library":                             {file: code, imported: "example.com/lib/v2"},
		"a library with a longer name":                 {file: code, imported: "example.com/library", fault: "libraries"},
		"a test library outside tests":                 {file: code, imported: "pgregory.net/rapid", fault: "libraries"},
		"a test library in a test":                     {file: test, imported: "pgregory.net/rapid"},
		"a standard package":                           {file: code, imported: "encoding/json"},
		"files in a pure package":                      {file: code, imported: "os/exec", fault: "pure"},
		"addresses, which are no sockets":              {file: code, imported: "net"},
		"sockets in a pure package":                    {file: code, imported: "net/http", fault: "pure"},
		"files in a pure package's test":               {file: test, imported: "os"},
		"a confined library, for whom it is forbidden": {file: test, imported: "go.etcd.io/bbolt/errors", fault: "only internal/boltfile"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fault := r.fault("a", tt.file, tt.imported)
			if tt.fault == "" {
				require.Empty(t, fault)
			} else {
				require.Contains(t, fault, tt.fault)
			}
		})
	}
}

// TestPrograms holds what is built into the shipped programs, through every library that they use.
func TestPrograms(t *testing.T) {
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			list := exec.CommandContext(t.Context(), "go", "list", "-deps", program.folder)
			list.Dir = root
			list.Env = append(os.Environ(), program.env...)
			list.Stderr = os.Stderr
			listed, err := list.Output()
			require.NoError(t, err)
			deps := strings.Fields(string(listed))
			require.True(t, slices.Contains(deps, "adsidecar/"+program.has), "%s is built without %s", program.folder, program.has)
			for _, dep := range deps {
				for banned, why := range program.banned {
					require.False(t, under(dep, banned), "%s is built with %s: %s", program.folder, dep, why)
				}
			}
		})
	}
}
