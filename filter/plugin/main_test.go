package plugin

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildDir holds the modules of this run of the tests.
var buildDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "adsidecar-plugin-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }() // at worst a temporary directory stays
		buildDir = dir
		return m.Run()
	}())
}

// module builds a module when a test first asks for it, and returns its path.
type module func() (path string, err error)

var (
	builtModule  = newBuild("built")                        // as Envoy loads it
	hookedModule = newBuild("hooked", "-tags", "testhooks") // as tests on a real Envoy load it
)

func newBuild(name string, args ...string) module {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(buildDir, name+".wasm")
		cmd := exec.Command("go", append([]string{"run", "adsidecar/filter/build", "-o", path}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build module: %w\n%s", err, out)
		}
		return path, nil
	})
}

// readModule fails the test when the module cannot be built: a test is never skipped for the want of it.
func readModule(t *testing.T, m module) []byte {
	t.Helper()
	path, err := m()
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}
