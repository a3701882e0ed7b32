package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"adsidecar/e2e/stack"
	"adsidecar/envoy/gateway"
)

// TestReadmeCommands runs the README's shell blocks as a reader would, in the repository's folder (a copy by links), but for `make run` and
// `make test`, which continuous integration runs. The gateway of the reader's own is the stack's; Envoy and Cognito are real.
func TestReadmeCommands(t *testing.T) {
	s := start(t, stack.Options{NoControlPlane: true, NoEnvoy: true, Users: &stack.UsersOptions{NoStart: true}})
	dir := t.TempDir()
	for _, name := range []string{"bin", "compose", "docs", "examples"} {
		require.NoError(t, os.Symlink(filepath.Join(tools.Root, name), filepath.Join(dir, name)))
	}
	path := filepath.Join(dir, "path")
	require.NoError(t, os.MkdirAll(path, 0o700))
	require.NoError(t, os.Symlink(tools.Envoy, filepath.Join(path, "envoy")))
	require.NoError(t, os.Symlink(tools.Python, filepath.Join(path, "python3")))
	text, err := os.ReadFile(s.ControlPlane().ConfigFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gateway.yaml"), text, 0o600))
	var config struct{ Listener struct{ Address string } }
	require.NoError(t, yaml.Unmarshal(text, &config))
	base := "http://" + config.Listener.Address
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".run"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".run", "env"), fmt.Appendf(nil,
		"BASE_URL=%s\nCOGNITO_ENDPOINT=%s\nCLIENT_ID=%s\nDEMO_USERNAME=%s\nDEMO_PASSWORD=%s\nCONTROLPLANE_URL=%s\n",
		base, moto.Endpoint, s.ClientID, stack.Username, stack.Password, s.ControlPlane().URL), 0o600))

	environment := append([]string{"PATH=" + path + string(os.PathListSeparator) + os.Getenv("PATH"), "CONTROLPLANE_URL=" + s.ControlPlane().URL},
		stack.AWSEnvironment...)
	shell := func(script string) string {
		cmd := exec.CommandContext(deadline(t, time.Minute), "/bin/sh", "-ec", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
		out, err := cmd.Output()
		require.NoError(t, err, "%s\n%s", script, out)
		return string(out)
	}
	background := func(command string) {
		p, err := stack.StartProcess(stack.Command{Name: command, Path: "/bin/sh", Args: []string{"-c", "exec " + command}, Dir: dir, Env: environment})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Stop(10*time.Second)) })
	}
	answers := func(url string) {
		eventually(t, time.Minute, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
			if err != nil {
				return err
			}
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s: status %d", url, resp.StatusCode)
			}
			return errors.Join(err, resp.Body.Close())
		})
	}

	blocks := shellBlocks(t)
	ran := map[string]string{} // first line → output
	for _, block := range blocks {
		switch {
		case strings.HasPrefix(block, "make "):
			for line := range strings.Lines(block) {
				target := strings.Fields(line)[1]
				makefile, err := os.ReadFile(filepath.Join(tools.Root, "Makefile"))
				require.NoError(t, err)
				require.Contains(t, string(makefile), "\n"+target+":", "the Makefile has this target")
			}
		case strings.Contains(block, " serve "):
			lines := strings.Split(strings.TrimSpace(block), "\n")
			require.Len(t, lines, 4, "serve, serve, bootstrap, envoy")
			background(lines[0])
			answers(s.ControlPlane().URL + "/readyz")
			background(lines[1])
			shell(lines[2])
			background(lines[3])
			answers(base + "/health")
			for _, e := range gateway.Endpoints {
				answers(base + e.HealthPath())
			}
		}
	}
	for _, block := range blocks {
		if !strings.HasPrefix(block, "make ") && !strings.Contains(block, " serve ") {
			first, _, _ := strings.Cut(block, "\n")
			ran[first] = shell(block)
		}
	}
	require.Len(t, ran, 6, "each block was run: %v", ran)
	requirePlayer(t, ran[". .run/env"])
	require.Regexp(t, `^200 \{"id":"[0-9a-f]{32}"`, ran["set -a; . .run/env; set +a"])
	require.Contains(t, ran["bin/adsidecar validate --config gateway.yaml --campaigns compose/campaigns.json"], "100 ads, 0 rejected")
	require.Contains(t, ran["bin/adsidecar explain --config gateway.yaml --country us --lang eng --at 2026-12-24T23:59:59Z"], "key us/eng answers")
	operators := ran["export ADSIDECAR_SERVER=$CONTROLPLANE_URL"]
	require.Contains(t, operators, "hello")
	require.Regexp(t, `(?m)^1 .*create +hello`, operators)
	require.Regexp(t, `"ads": 10[01]\b`, ran["curl -s $CONTROLPLANE_URL/api/v1/status"]) // what was reverted may be on its way
}

// requirePlayer checks what the quick start prints: the record, the record after its update, and an ad.
func requirePlayer(t *testing.T, out string) {
	t.Helper()
	bodies := json.NewDecoder(strings.NewReader(out))
	next := func() map[string]any {
		var body map[string]any
		require.NoError(t, bodies.Decode(&body), out)
		return body
	}
	record := next()
	require.Regexp(t, `^[0-9]{8}$`, record["userId"])
	want := map[string]any{
		"title": "Mr", "firstName": "John", "lastName": "Smith", "mobileNumber": "047777777",
		"address": map[string]any{"postcode": "2040", "suburb": "leichhdart", "state": "NSW", "fullAddress": "1 Short St"},
	}
	delete(record, "userId")
	require.Equal(t, want, record)
	want["mobileNumber"] = "0411111111"
	require.Equal(t, want, next(), "what is not named stays")
	require.Contains(t, next(), "videoUrl")
	require.False(t, bodies.More(), out)
}

// shellBlocks are the README's sh blocks, without their indentation.
func shellBlocks(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(tools.Root, "README.md"))
	require.NoError(t, err)
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$").FindAllStringSubmatch(string(readme), -1) {
		blocks = append(blocks, strings.TrimPrefix(strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n"), "\n"))
	}
	require.NotEmpty(t, blocks)
	return blocks
}
