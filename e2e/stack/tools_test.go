package stack

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script puts a program that prints out and exits with code into dir.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return path
}

func TestPythonIsFound(t *testing.T) {
	t.Run("the first that is fit", func(t *testing.T) {
		dir := t.TempDir()
		script(t, dir, "python3", `echo "it is Python 3.8" >&2; exit 1`)
		script(t, dir, "python3.12", `echo /opt/python3.12`)
		t.Setenv("PATH", dir)
		t.Setenv("PYTHON", "")
		got, err := findPython(within(t, patience))
		require.NoError(t, err)
		require.Equal(t, "/opt/python3.12", got)
	})
	t.Run("PYTHON alone if it is set", func(t *testing.T) {
		dir := t.TempDir()
		script(t, dir, "python3", `echo /opt/other`)
		t.Setenv("PATH", dir)
		t.Setenv("PYTHON", script(t, dir, "mine", `echo "it is Python 3.8" >&2; exit 1`))
		_, err := findPython(within(t, patience))
		require.ErrorContains(t, err, "mine: it is Python 3.8")
	})
}

func TestPythonErrorsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"none":         {"", []string{"none of python3, ", "Install it", "apt-get install python3 python3-venv"}},
		"too old":      {`echo "it is Python 3.8" >&2; exit 1`, []string{"python3: it is Python 3.8", "3.10 or newer", "PYTHON=/path/to/python3"}},
		"without venv": {`echo "it has no module ensurepip" >&2; exit 1`, []string{"no module ensurepip", "apt-get install python3-venv"}},
		"a dead shim":  {`exit 127`, []string{"python3: exit status 127"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.text != "" {
				script(t, dir, "python3", c.text)
			}
			t.Setenv("PATH", dir)
			t.Setenv("PYTHON", "")
			_, err := findPython(within(t, patience))
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestPythonProbeRunsOnARealPython(t *testing.T) {
	t.Setenv("PYTHON", "")
	python, err := findPython(within(t, patience))
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(python), python)
}

const version140 = `echo; echo "$0  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL"; echo`

func TestEnvoyOfENVOY_BIN(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
	}{
		"new enough":    {version140, ""},
		"newer":         {`echo "envoy version: abc/1.41.2/Clean/RELEASE/BoringSSL"`, ""},
		"too old":       {`echo "envoy version: abc/1.39.9/Clean/RELEASE/BoringSSL"`, "is Envoy 1.39.9: at least 1.40.0 is needed"},
		"no Envoy":      {`echo hello`, "does not name an Envoy version: hello"},
		"one that dies": {`echo "GLIBC_2.99 not found" >&2; exit 1`, "GLIBC_2.99 not found"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := script(t, t.TempDir(), "envoy", c.text)
			t.Setenv("ENVOY_BIN", bin)
			var tools Tools
			err := tools.installedEnvoy(within(t, patience), io.Discard)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, "ENVOY_BIN="+bin)
				return
			}
			require.NoError(t, err)
			require.Equal(t, bin, tools.Envoy)
			require.Equal(t, "ENVOY_BIN", tools.EnvoyFrom)
		})
	}
}

func TestEnvoyOfPATHThatIsAScriptIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "envoy", version140)
	t.Setenv("PATH", dir)
	t.Setenv("ENVOY_BIN", "")
	var said strings.Builder
	var tools Tools
	require.NoError(t, tools.installedEnvoy(within(t, patience), &said))
	require.Empty(t, tools.Envoy)
	require.Contains(t, said.String(), "not using "+filepath.Join(dir, "envoy")+": it is a script")
}

func TestEnvoyOfPATHIsUsedIfItIsNewEnough(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		used    bool
	}{
		"new enough": {"1.40.0", true},
		"too old":    {"1.39.9", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			self, err := os.Executable()
			require.NoError(t, err)
			require.NoError(t, os.Symlink(self, filepath.Join(dir, "envoy")))
			t.Setenv("PATH", dir)
			t.Setenv("ENVOY_BIN", "")
			t.Setenv(helperMode, "envoy "+c.version)
			var said strings.Builder
			var tools Tools
			require.NoError(t, tools.installedEnvoy(within(t, patience), &said))
			if c.used {
				require.Equal(t, filepath.Join(dir, "envoy"), tools.Envoy)
				require.Equal(t, c.version, tools.EnvoyVersion)
				require.Equal(t, "PATH", tools.EnvoyFrom)
				return
			}
			require.Empty(t, tools.Envoy)
			require.Contains(t, said.String(), "it is version 1.39.9, at least 1.40.0 is needed")
		})
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	for name, c := range map[string]struct {
		version, than string
		want          bool
	}{
		"equal":               {"1.40.0", "1.40.0", false},
		"by number, not text": {"1.9.0", "1.40.0", true},
		"patch":               {"1.40.1", "1.40.0", false},
		"major":               {"2.0.0", "1.40.0", false},
		"not a version":       {"dev", "1.40.0", true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, older(c.version, c.than))
		})
	}
}

func TestRootIsFoundFromBelow(t *testing.T) {
	root, err := FindRoot()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "e2e", "stack", "doc.go"))
	t.Chdir(t.TempDir())
	_, err = FindRoot()
	require.ErrorContains(t, err, "run this inside the checkout")
}

func TestMissingProgramsAreNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := Built(dir)
	require.ErrorContains(t, err, "bin/adsidecar")
	require.ErrorContains(t, err, "make build")
	t.Setenv("PATH", dir)
	require.ErrorContains(t, goCommand(within(t, patience), dir, "version"), "go is not on PATH")
}
