package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

func environment(kv map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := kv[name]; return v, ok }
}

func TestPortsComeFromFlagsThenTheEnvironment(t *testing.T) {
	var help bytes.Buffer
	c, err := parse([]string{"--xds-port", "5"}, environment(map[string]string{"PORT": "8090", "XDS_PORT": "4", "SOURCE_PORT": ""}), &help)
	require.NoError(t, err)
	require.Equal(t, stack.Ports{Gateway: 8090, EnvoyAdmin: 9901, ControlPlane: 18001, XDS: 5, Moto: 18002, Source: 18003, Users: 18004}, c.ports)
	require.Equal(t, stack.Bolt, c.store)

	_, err = parse([]string{"--help"}, environment(nil), &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, p := range ports {
		require.Contains(t, help.String(), p.env+"=…")
		require.Contains(t, help.String(), "-"+p.flag+" port")
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"no number":        {nil, map[string]string{"PORT": "http"}, "PORT=http is not a port"},
		"out of range":     {[]string{"--port", "70000"}, nil, "PORT=70000 is not a port"},
		"the same twice":   {nil, map[string]string{"PORT": "9901"}, "PORT and ENVOY_ADMIN_PORT are both 9901"},
		"an unknown store": {nil, map[string]string{"STORE": "mysql"}, "STORE=mysql is neither bbolt nor dynamodb"},
		"an argument":      {[]string{"start"}, nil, `unknown argument "start"`},
		"an unknown flag":  {[]string{"--prot", "1"}, nil, "prot"},
		"a flag's garbage": {[]string{"--port", "x"}, nil, "invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			require.Equal(t, 2, command(c.args, environment(c.env), &out, &errs))
			require.Contains(t, errs.String(), c.want)
		})
	}
}

func TestTakenPortsAreNamedWithAWayOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	c := config{dir: t.TempDir(), ports: stack.Ports{Gateway: port, XDS: port}, out: &bytes.Buffer{}}
	err = run(t.Context(), c)
	require.ErrorContains(t, err, fmt.Sprintf("gateway (Envoy): port %d is taken", port))
	require.ErrorContains(t, err, "choose another port: make run PORT=")
	require.ErrorContains(t, err, fmt.Sprintf("control plane (xDS): port %d is taken", port), "all of them are told at once")
	require.ErrorContains(t, err, "make run XDS_PORT=")
}

func TestShellsReadTheEnvFile(t *testing.T) {
	for name, value := range map[string]string{
		"plain": "http://localhost:8080", "empty": "", "a blank": "/my folder/x", "quotes": `it's "$HOME"`, "letters beyond ASCII": "/überall",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "env")
			require.NoError(t, os.WriteFile(file, []byte("VALUE="+shellWord(value)+"\n"), 0o600))
			out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `. "$1"; printf %s "$VALUE"`, "sh", file).Output()
			require.NoError(t, err)
			require.Equal(t, value, string(out))
		})
	}
	require.Equal(t, "http://localhost:8080", shellWord("http://localhost:8080"), "not quoted: other readers do not take quotes off")
}

func TestEveryStartIsTheSame(t *testing.T) {
	l := &local{config: config{dir: t.TempDir()}}
	for _, name := range []string{"users.db", "users.log", "users-client-secret", "gateway.yaml", "env", "own.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(l.dir, name), nil, 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(l.dir, "controlplane-state", "x"), 0o700))
	require.NoError(t, l.clean())
	left, err := filepath.Glob(filepath.Join(l.dir, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(l.dir, "own.json")}, left, "what is not a run's stays")
}
