package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// screen is what a run prints; it is read while it is written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a run on free ports, in a folder of its own.
type running struct {
	config
	screen *screen
	cancel context.CancelFunc
	ended  chan error
}

// startRun starts one on the store.
func startRun(t *testing.T, store string) *running {
	t.Helper()
	root, err := stack.FindRoot()
	require.NoError(t, err)
	_, err = stack.Build(t.Context(), root)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	out := &screen{}
	// A blank in the path, as in many a home folder.
	c := config{root: root, dir: filepath.Join(t.TempDir(), "a folder"), store: store, out: out}
	r := &running{config: c, screen: out, cancel: cancel, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- run(ctx, r.config)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// env reads the env file by a shell, as scripts do. It is nil while there is none.
func (r *running) env(t *testing.T) map[string]string {
	t.Helper()
	file := filepath.Join(r.dir, envFile)
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	text, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", `set -a; . "$1"; env`, "sh", file).Output()
	require.NoError(t, err)
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			env[key] = value
		}
	}
	return env
}

// wait returns the env file when there is one, or when it satisfies until.
func (r *running) wait(t *testing.T, until func(env map[string]string) bool) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var env map[string]string
	require.NoError(t, stack.Poll(ctx, func(context.Context) error {
		if env = r.env(t); env == nil || !until(env) {
			return errors.New(r.screen.String())
		}
		return nil
	}))
	return env
}

func (r *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(time.Minute):
		require.Fail(t, "the run does not end", r.screen.String())
		return nil
	}
}

func anything(map[string]string) bool { return true }

// client runs the documented Python client.
func (r *running) client(t *testing.T, env map[string]string) (string, error) {
	t.Helper()
	tools, err := stack.FindTools(t.Context(), stack.ToolsConfig{Root: r.root})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), tools.Python, filepath.Join(r.root, "examples", "ad_client.py"), "us", "eng")
	cmd.Env = os.Environ()
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// command runs adsidecar at the repository's root, as after reading the env file.
func (r *running) command(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	programs, err := stack.Build(t.Context(), r.root)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), programs.Adsidecar, args...)
	cmd.Dir = r.root
	cmd.Env = os.Environ()
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// signIn is the token that /authenticate gives the demo user.
func (r *running) signIn(t *testing.T, env map[string]string) http.Header {
	t.Helper()
	a, err := stack.Send(t.Context(), http.MethodPost, env["BASE_URL"]+"/authenticate", nil, []byte(demoUser))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, a)
	var in stack.SignedIn
	require.NoError(t, json.Unmarshal(a.Body, &in))
	return http.Header{"Authorization": {"Bearer " + in.IDToken}}
}

// requireRecords signs in, makes a record and reads it. It returns the record's URL and the headers with the token.
func (r *running) requireRecords(t *testing.T, env map[string]string) (url string, token http.Header) {
	t.Helper()
	john := `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
		`"address":{"postcode":"2040","suburb":"Leichhardt","state":"NSW","fullAddress":"1 Example Street"}}`
	token = r.signIn(t, env)
	a, err := stack.Send(t.Context(), http.MethodPost, env["BASE_URL"]+"/create", token, []byte(john))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.Status, a)
	url = env["BASE_URL"] + "/" + a.Header.Get("Location")
	require.NoError(t, reads(t.Context(), url, token))
	return url, token
}

// reads is nil if the record at url is there.
func reads(ctx context.Context, url string, token http.Header) error {
	a, err := stack.Send(ctx, http.MethodGet, url, token, nil)
	if err == nil && (a.Status != http.StatusOK || !strings.Contains(string(a.Body), "047777777")) {
		err = errors.New(a.String())
	}
	return err
}

func pid(t *testing.T, env map[string]string, key string) int {
	t.Helper()
	n, err := strconv.Atoi(env[key])
	require.NoError(t, err)
	return n
}

const oneAd = `{"ads":[{"id":"mine","video_url":"https://v.example/mine","country":"us","lang":"eng","start_hour":0,"end_hour":24}]}`

func TestRunServesSurvivesItsControlPlaneAndDiesWithEnvoy(t *testing.T) {
	r := startRun(t, stack.Bolt)
	env := r.wait(t, anything)
	info, err := os.Stat(filepath.Join(r.dir, envFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	for _, key := range []string{
		"BASE_URL", "COGNITO_ENDPOINT", "USER_POOL_ID", "CLIENT_ID", "DEMO_USERNAME", "DEMO_PASSWORD", "SOURCE_FILE", "ENVOY_ADMIN",
		"CONTROLPLANE_URL", "ENVOY_PID", "CONTROLPLANE_PID", "USERS_CLIENT_ID", "USERS_URL", "USERS_PID", "USERS_STORE", "USERS_FILE",
	} {
		require.NotEmpty(t, env[key], key)
	}
	require.NoError(t, stack.Poll(t.Context(), func(context.Context) error {
		if !strings.Contains(r.screen.String(), "Ctrl-C stops everything.") {
			return errors.New(r.screen.String())
		}
		return nil
	}))
	require.Contains(t, r.screen.String(), "curl -H 'Authorization: Bearer ey")
	require.Contains(t, r.screen.String(), env["BASE_URL"]+"/ad_request?country=")

	t.Run("the client of the examples gets the ads of the replaced file", func(t *testing.T) {
		require.NoError(t, stack.ReplaceFile(env["SOURCE_FILE"], []byte(oneAd), 0o644))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		want := `200 {"id":"mine","url":"https://v.example/mine","videoUrl":"https://v.example/mine"}` + "\n"
		require.NoError(t, stack.Poll(ctx, func(context.Context) error {
			out, err := r.client(t, env)
			if err != nil || out != want {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}))
	})
	t.Run("the printed sign-in gives a token that makes a record", func(t *testing.T) {
		require.Contains(t, r.screen.String(), "curl -d '"+demoUser+"' '"+env["BASE_URL"]+"/authenticate'")
		r.requireRecords(t, env)
		require.FileExists(t, env["USERS_FILE"])
	})
	t.Run("commands read the gateway's file with it, and know the Envoy by the name there", func(t *testing.T) {
		explained := r.command(t, env, "explain", "--config", "compose/gateway.yaml", "--country", "us", "--lang", "en")
		require.Contains(t, explained, "from the source "+env["SOURCE_URL"])
		require.Contains(t, explained, "mine")
		require.Contains(t, r.command(t, env, "fleet", "--server", env["CONTROLPLANE_URL"]), "\nlocal ")
	})
	t.Run("a second run says that this one runs", func(t *testing.T) {
		c := r.config
		err := run(t.Context(), c)
		require.ErrorContains(t, err, fmt.Sprintf("it is already running (process %d)", os.Getpid()))
		require.FileExists(t, filepath.Join(r.dir, envFile), "the first one's file stays")
	})
	t.Run("a killed control plane is started again", func(t *testing.T) {
		killed := pid(t, env, "CONTROLPLANE_PID")
		require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
		again := r.wait(t, func(e map[string]string) bool { return e["CONTROLPLANE_PID"] != env["CONTROLPLANE_PID"] })
		require.Equal(t, env["ENVOY_PID"], again["ENVOY_PID"])
		require.Contains(t, r.screen.String(), fmt.Sprintf("controlplane (process %d) ended: signal: killed", killed))
		status, err := http.Get(again["CONTROLPLANE_URL"] + "/healthz") //nolint:noctx,forbidigo // one request of a test
		require.NoError(t, err)
		require.NoError(t, status.Body.Close())
		require.Equal(t, http.StatusOK, status.StatusCode)
		http.DefaultClient.CloseIdleConnections() //nolint:forbidigo // see above
		env = again
	})
	t.Run("a killed user service is started again, with its records", func(t *testing.T) {
		url, token := r.requireRecords(t, env)
		require.NoError(t, syscall.Kill(pid(t, env, "USERS_PID"), syscall.SIGKILL))
		again := r.wait(t, func(e map[string]string) bool { return e["USERS_PID"] != env["USERS_PID"] })
		require.Equal(t, env["ENVOY_PID"], again["ENVOY_PID"])
		require.Equal(t, env["CONTROLPLANE_PID"], again["CONTROLPLANE_PID"])
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, stack.Poll(ctx, func(ctx context.Context) error { return reads(ctx, url, token) }), "once Envoy has seen it")
		env = again
	})
	t.Run("a killed Envoy ends everything", func(t *testing.T) {
		require.NoError(t, syscall.Kill(pid(t, env, "ENVOY_PID"), syscall.SIGKILL))
		err := r.end(t)
		require.ErrorContains(t, err, "envoy (process "+env["ENVOY_PID"]+") ended: signal: killed")
		require.ErrorContains(t, err, "its last lines:")
		require.NoFileExists(t, filepath.Join(r.dir, envFile))
		for _, key := range []string{"BASE_URL", "COGNITO_ENDPOINT", "CONTROLPLANE_URL", "USERS_URL"} {
			_, err := net.Dial("tcp", env[key][strings.Index(env[key], "//")+2:])
			require.Error(t, err, "%s still answers", key)
		}
	})
}

func TestRunStopsWhenItIsInterrupted(t *testing.T) {
	t.Run("while it serves", func(t *testing.T) {
		r := startRun(t, stack.Bolt)
		env := r.wait(t, anything)
		r.cancel()
		require.NoError(t, r.end(t))
		require.NoFileExists(t, filepath.Join(r.dir, envFile))
		require.ErrorIs(t, syscall.Kill(pid(t, env, "ENVOY_PID"), 0), syscall.ESRCH)
		require.ErrorIs(t, syscall.Kill(pid(t, env, "CONTROLPLANE_PID"), 0), syscall.ESRCH)
		require.ErrorIs(t, syscall.Kill(pid(t, env, "USERS_PID"), 0), syscall.ESRCH)
		require.True(t, strings.HasSuffix(r.screen.String(), "\nstopped\n"), r.screen.String())
	})
	t.Run("while it starts", func(t *testing.T) {
		r := startRun(t, stack.Bolt)
		require.NoError(t, stack.Poll(t.Context(), func(context.Context) error {
			if !strings.Contains(r.screen.String(), "starting Cognito") {
				return errors.New("not yet")
			}
			return nil
		}))
		r.cancel()
		require.NoError(t, r.end(t))
		require.NoFileExists(t, filepath.Join(r.dir, envFile))
	})
}

func TestRunOnDynamoDB(t *testing.T) {
	r := startRun(t, stack.DynamoDB)
	env := r.wait(t, anything)
	require.Equal(t, "dynamodb", env["USERS_STORE"])
	require.Equal(t, "unouserdb", env["USERS_TABLE"])
	require.NotContains(t, env, "USERS_FILE")
	r.requireRecords(t, env)
	tools, err := stack.FindTools(t.Context(), stack.ToolsConfig{Root: r.root})
	require.NoError(t, err)
	// What a script needs to look into the table is in the file.
	cmd := exec.CommandContext(t.Context(), tools.Python, "-c", `
import boto3, os
table = boto3.resource("dynamodb", endpoint_url=os.environ["DYNAMODB_ENDPOINT"]).Table(os.environ["USERS_TABLE"])
print([item["mobileNumber"] for item in table.scan()["Items"]])`)
	cmd.Env = os.Environ()
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "['047777777']\n", string(out))
	require.NoFileExists(t, filepath.Join(r.dir, "users.db"))
	r.cancel()
	require.NoError(t, r.end(t))
}
