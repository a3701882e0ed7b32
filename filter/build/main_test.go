package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
)

func TestTheModuleExportsWhatEnvoyNeedsAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "filter.wasm")
	module, out := build(t, path)
	require.Equal(t, fmt.Sprintf("%s: %d bytes, sha256 %x\n", path, len(module), sha256.Sum256(module)), out)

	// Envoy enters the VM for each callback that is exported, for every request.
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	compiled, err := runtime.CompileModule(ctx, module)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"_initialize", "proxy_abi_version_0_2_0", "proxy_on_configure", "proxy_on_context_create", "proxy_on_delete",
		"proxy_on_memory_allocate", "proxy_on_request_headers",
	}, slices.Collect(maps.Keys(compiled.ExportedFunctions())))
	require.Len(t, compiled.ExportedMemories(), 1)
	require.NoError(t, runtime.Close(ctx))

	// A second build of the same sources is the same file, so Envoy need not compile it again.
	again, _ := build(t, path)
	require.Equal(t, sha256.Sum256(module), sha256.Sum256(again))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, left)
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	require.NoError(t, err)
	require.Empty(t, hidden)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}

func TestTheModuleForPlayersHasNoTestHooks(t *testing.T) {
	for _, word := range []string{"x-test-unix", "x-test-panic", "test hook"} {
		require.NotContains(t, string(readBuild(t)), word)
		require.Contains(t, string(readBuild(t, "-tags", "testhooks")), word)
	}
}

func TestAFailedBuildLeavesTheModuleAlone(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(taken, "x"), 0o755))
	tests := map[string]struct {
		args []string
		want string
	}{
		"an argument too many":     {[]string{"x"}, `unexpected argument "x"`},
		"an unknown flag":          {[]string{"-x"}, "flag provided but not defined: -x"},
		"an unreadable tag":        {[]string{"-o", filepath.Join(dir, "x"), "-tags", "\x00"}, "compile adsidecar/filter: "},
		"an output that is a file": {[]string{"-o", filepath.Join("main.go", "x")}, "write module: mkdir main.go: not a directory"},
		"an output that is taken":  {[]string{"-o", taken}, "write module: rename "},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			err := run(context.Background(), tc.args, &stdout, &stderr)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, stdout.String())
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1)
		})
	}
}

// build runs the program and returns the module and what it printed.
func build(t *testing.T, path string, args ...string) (module []byte, out string) {
	t.Helper()
	var stdout, stderr strings.Builder
	err := run(context.Background(), slices.Concat([]string{"-o", path}, args), &stdout, &stderr)
	require.NoError(t, err, stderr.String())
	module, err = os.ReadFile(path)
	require.NoError(t, err)
	return module, stdout.String()
}

func readBuild(t *testing.T, args ...string) []byte {
	t.Helper()
	module, _ := build(t, filepath.Join(t.TempDir(), "filter.wasm"), args...)
	return module
}
