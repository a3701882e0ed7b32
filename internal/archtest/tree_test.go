package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the path of the module, as in go.mod.
const module = "adsidecar"

// root is the top of the repository, seen from this package, where its tests run.
var root = filepath.Join("..", "..")

// goFile is one parsed Go file.
type goFile struct {
	path    string // slash-separated, from the top of the repository
	test    bool
	name    string // of the package, without the _test of an external test
	doc     string // the package comment
	imports []string
	lines   int
	made    bool // generated
}

// goPackages returns the Go files of the module by folder ("." is the top). Folders that the go command ignores, and modules
// inside, are left out.
func goPackages(t *testing.T) map[string][]goFile {
	t.Helper()
	packages := map[string][]goFile{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && ignoredFolder(path, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		file := parseFile(t, path)
		folder := filepath.ToSlash(filepath.Dir(file.path))
		packages[folder] = append(packages[folder], file)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, packages)
	return packages
}

func ignoredFolder(path, name string) bool {
	if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

func parseFile(t *testing.T, path string) goFile {
	t.Helper()
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	parsed, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly|parser.ParseComments)
	require.NoError(t, err)

	fromRoot, err := filepath.Rel(root, path)
	require.NoError(t, err)
	file := goFile{
		path:  filepath.ToSlash(fromRoot),
		test:  strings.HasSuffix(path, "_test.go"),
		name:  strings.TrimSuffix(parsed.Name.Name, "_test"),
		doc:   parsed.Doc.Text(),
		lines: bytes.Count(source, []byte("\n")),
		made:  ast.IsGenerated(parsed),
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		file.imports = append(file.imports, imported)
	}
	return file
}

// ours cuts the module from an import path: "filter/adindex". The second result is false for packages of others.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// standard tells whether a package is of the standard library: of all others the first element is a host name.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	_, own := ours(imported)
	return !own && !strings.Contains(first, ".")
}

// under tells whether path is prefix or below it.
func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// repositoryFiles returns the files that are or would be committed: those that git tracks or does not ignore, or, in a
// copy without git, all but what the build makes.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	if listed, err := git.Output(); err == nil && len(listed) > 0 {
		return strings.Split(strings.TrimRight(string(listed), "\x00"), "\x00")
	}

	made := []string{".git", ".run", ".venv", "bin", "__pycache__"}
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(made, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		fromRoot, err := filepath.Rel(root, path)
		files = append(files, filepath.ToSlash(fromRoot))
		return err
	})
	require.NoError(t, err)
	return files
}

// eachPackage runs check as a subtest for every folder with Go files, in order.
func eachPackage(t *testing.T, check func(t *testing.T, folder string, files []goFile)) {
	t.Helper()
	packages := goPackages(t)
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		t.Run(folder, func(t *testing.T) { check(t, folder, packages[folder]) })
	}
}
