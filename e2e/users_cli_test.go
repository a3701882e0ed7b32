package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
	"adsidecar/internal/cognito/strictfake"
)

// usersCommand calls bin/adsidecar-users to its end, in dir, with an environment of an AWS account that is nobody's.
func usersCommand(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(deadline(t, time.Minute), programs.AdsidecarUsers, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), stack.AWSEnvironment...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	require.NotContains(t, r.stderr, "panic:", args)
	require.NotContains(t, r.stderr, "goroutine ", args)
	return r
}

// requireFailure requires an error of one line, the program's name before it, and nothing on stdout.
func (r result) requireFailure(t *testing.T, code int, pattern string) {
	t.Helper()
	require.Equal(t, code, r.code, "%s%s", r.stdout, r.stderr)
	require.Empty(t, r.stdout)
	require.Regexp(t, `^adsidecar-users: `+pattern+`\n$`, r.stderr)
	require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
}

// freePort is host:port that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	p, err := stack.ReservePort()
	require.NoError(t, err)
	t.Cleanup(p.Release)
	return p.Address()
}

// nowhere is a URL that nobody answers.
const nowhere = "http://127.0.0.1:1"

// ownGateway is goodGateway with a user service on this pool and these further lines of users. The issuer's keys are nowhere.
func ownGateway(t *testing.T, endpoint, users string) string {
	t.Helper()
	issuers := strings.Replace(goodGateway, "client_ids:", "jwks_url: "+nowhere+"\n  client_ids:", 1)
	return issuers + fmt.Sprintf("users:\n  address: %s\n  cognito: {endpoint: %q}\n", freePort(t), endpoint) + users
}

// TestUsersCommandSaysWhyItCannot: one line with the key's name, and the exit code tells a misuse from a failure.
func TestUsersCommandSaysWhyItCannot(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	file := func(path string) string { return ownGateway(t, nowhere, "  store: {file: "+path+"}\n") }
	secret := func(path string) string {
		return strings.Replace(file("users.db"), `cognito: {`, "cognito: {client_secret_file: "+path+", ", 1)
	}
	dir := files(t, map[string]string{
		"file": "a file, no folder", "empty": "\n", "blanks": "a secret\n", "garbage.db": strings.Repeat("no bbolt file ", 10_000), "short.db": "x",
		"other.yaml":   goodGateway,
		"unknown.yaml": ownGateway(t, nowhere, "  stores: {}\n"),
		"values.yaml":  goodGateway + "users: {address: \"0.0.0.0:18004\", access: everybody}\n",
		"good.yaml":    file("users.db"), "locked.yaml": file("locked.db"), "garbage.yaml": file("garbage.db"), "short.yaml": file("short.db"),
		"damaged.yaml": file("damaged.db"), "folder.yaml": file("."), "below.yaml": file("file/users.db"),
		"no-secret.yaml": secret("no"), "empty-secret.yaml": secret("empty"), "folder-secret.yaml": secret("."), "blanks-secret.yaml": secret("blanks"),
		"taken.yaml":    goodGateway + "users: {address: \"" + taken.Addr().String() + "\", store: {file: taken.db}}\n",
		"dynamodb.yaml": ownGateway(t, nowhere, "  store: {dynamodb: {endpoint: \""+nowhere+"\"}}\n"),
	})
	if os.Geteuid() != 0 { // who may read and write everything
		require.NoError(t, os.Chmod(filepath.Join(dir, "blanks"), 0))
	}
	held, err := stack.TryLock(filepath.Join(dir, "locked.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, held.Close()) })
	damage(t, dir, "damaged.yaml", "damaged.db")

	for name, c := range map[string]struct {
		args   string
		code   int
		stderr string // a pattern
	}{
		"no configuration":                     {"serve -c no.yaml", 1, `open no\.yaml: no such file or directory`},
		"no configuration in the default file": {"serve", 1, `open gateway\.yaml: no such file or directory`},
		"the configuration is a folder":        {"serve -c .", 1, `.*is a directory`},
		"a gateway without a user service":     {"serve -c other.yaml", 1, `other\.yaml: users: is missing: this gateway has no user service`},
		"init without a user service":          {"init -c other.yaml", 1, `other\.yaml: users: is missing: this gateway has no user service`},
		"an unknown key":                       {"serve -c unknown.yaml", 1, `unknown\.yaml:\d+: users\.stores: unknown key; known here: .*`},
		"an unknown endpoint":                  {"serve -c good.yaml --serve read,delete", 2, `--serve: "delete" is none of authenticate, create, read, update`},
		"an endpoint in another case":          {"serve -c good.yaml --serve Read", 2, `--serve: "Read" is none of authenticate, create, read, update`},
		"no endpoint":                          {`serve -c good.yaml --serve=`, 2, "--serve is empty: leave it out to answer all endpoints"},
		"an endpoint that is empty":            {"serve -c good.yaml --serve read,", 2, `--serve: "" is none of authenticate, create, read, update`},
		"an unknown log level":                 {"serve -c good.yaml --log-level loud", 2, `--log-level: "loud" is none of debug, info, warn, error`},
		"no secret file":                       {"serve -c no-secret.yaml", 1, `users\.cognito\.client_secret_file: open no: no such file or directory`},
		"an empty secret file":                 {"serve -c empty-secret.yaml", 1, `users\.cognito\.client_secret_file: empty is empty`},
		"a secret file that is a folder":       {"serve -c folder-secret.yaml", 1, `users\.cognito\.client_secret_file: .*is a directory`},
		"a secret with a blank, or unreadable": {"serve -c blanks-secret.yaml", 1, `users\.cognito.*(check its file|permission denied).*`},
		"the port is taken":                    {"serve -c taken.yaml", 1, `users\.address: listen tcp 127\.0\.0\.1:\d+: bind: address already in use`},
		"another process has the store":        {"serve -c locked.yaml", 1, `users\.store\.file: open locked\.db: another process has the file open.*`},
		"a store that is something else":       {"serve -c garbage.yaml", 1, `users\.store\.file: open garbage\.db: not a file of this program.*`},
		"a store of one byte":                  {"serve -c short.yaml", 1, `users\.store\.file: open short\.db: .*`},
		"a store that was cut":                 {"serve -c damaged.yaml", 1, `users\.store\.file: open damaged\.db: the file is damaged.*`},
		"a store that is a folder":             {"serve -c folder.yaml", 1, `users\.store\.file: .*is a directory`},
		"a store below a file":                 {"serve -c below.yaml", 1, `users\.store\.file: .*not a directory`},
		"init without DynamoDB":                {"init -c dynamodb.yaml", 1, `users\.store\.dynamodb: make the table unouserdb: .*connection refused.*`},
	} {
		t.Run(name, func(t *testing.T) {
			usersCommand(t, dir, strings.Fields(c.args)...).requireFailure(t, c.code, c.stderr)
		})
	}
	for name, args := range map[string]string{
		"an argument": "serve now", "init with an argument": "init now", "an unknown command": "start", "an unknown flag": "serve --port 1", "no value": "serve -c",
	} {
		t.Run(name, func(t *testing.T) {
			r := usersCommand(t, dir, strings.Fields(args)...)
			require.Equal(t, 2, r.code, r.stderr)
			require.Empty(t, r.stdout)
			require.Regexp(t, `^adsidecar-users: `, r.stderr)
		})
	}
	t.Run("all findings of a configuration at once", func(t *testing.T) {
		r := usersCommand(t, dir, "serve", "-c", "values.yaml")
		require.Equal(t, 1, r.code)
		for _, key := range []string{"users.address", "users.access", "users.cognito.issuer"} {
			require.Equal(t, key != "users.cognito.issuer", strings.Contains(r.stderr, ": "+key+": "), r.stderr)
		}
	})
	t.Run("help", func(t *testing.T) {
		for args, want := range map[string][]string{
			"--help": {"serve", "init", "--config", "User service"}, "serve --help": {"--serve", "--log-level", "/authenticate", "SIGTERM"}, "init --help": {"DynamoDB", "--config"},
			"": {"serve", "init"},
		} {
			r := usersCommand(t, dir, strings.Fields(args)...)
			require.Equal(t, 0, r.code, r.stderr)
			require.Empty(t, r.stderr)
			for _, text := range want {
				require.Contains(t, r.stdout, text)
			}
		}
	})
	require.NoFileExists(t, filepath.Join(dir, "users.db"), "what is wrong is found before anything is made")
}

// damage makes the store of a configuration and cuts it short.
func damage(t *testing.T, dir, config, store string) {
	t.Helper()
	require.NoError(t, startUsers(t, dir, config, "read").Stop(20*time.Second))
	path := filepath.Join(dir, store)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.Truncate(path, info.Size()/4))
}

// TestUsersInit: what it makes is there after it, as often as it is called.
func TestUsersInit(t *testing.T) {
	table := "init-" + strings.ToLower(rand.Text())
	onDynamoDB := ownGateway(t, nowhere, fmt.Sprintf("  store: {dynamodb: {table: %s, region: %s, endpoint: %q}}\n", table, stack.Region, moto.Endpoint))
	dir := files(t, map[string]string{
		"file.yaml":     ownGateway(t, nowhere, "  store: {file: users.db}\n"),
		"dynamodb.yaml": strings.Replace(onDynamoDB, "jwks_url: "+nowhere, "jwks_url: "+issuer(t, "").JWKSURL(), 1),
	})
	t.Run("a file needs none", func(t *testing.T) {
		usersCommand(t, dir, "init", "-c", "file.yaml").require(t, 0, "the file users.db is made by serve: nothing to do\n", "")
		require.NoFileExists(t, filepath.Join(dir, "users.db"))
	})
	t.Run("without its tables the service starts, and says what to do", func(t *testing.T) {
		p := startUsers(t, dir, "dynamodb.yaml", "read")
		a := p.get(t, "/readyz")
		require.Equal(t, []any{503, "not_ready"}, []any{a.Status, a.Code()}, a)
		line, err := p.Log.Wait(deadline(t, 20*time.Second), func(line string) bool { return strings.Contains(line, "not ready") })
		require.NoError(t, err)
		require.Contains(t, line, table)
		require.Contains(t, line, "adsidecar-users init")

		for range 2 {
			usersCommand(t, dir, "init", "-c", "dynamodb.yaml").require(t, 0, fmt.Sprintf("the tables %s and %[1]s-idempotency are there\n", table), "")
		}
		p.ready(t)
		require.NoError(t, p.Stop(20*time.Second))
	})
}

// usersProcess is bin/adsidecar-users serve.
type usersProcess struct {
	*stack.Process
	url string
}

// startUsers starts the service with a configuration of dir, and waits until it answers.
func startUsers(t *testing.T, dir, config, serve string) *usersProcess {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, config))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "users:\n  address: ")
	address, _, _ := strings.Cut(rest, "\n")
	process, err := stack.StartProcess(stack.Command{
		Name: "users", Path: programs.AdsidecarUsers, Args: []string{"serve", "-c", config, "--serve", serve}, Dir: dir, Env: stack.AWSEnvironment,
	})
	require.NoError(t, err)
	t.Cleanup(process.Kill)
	p := &usersProcess{process, "http://" + address}
	require.NoError(t, p.WaitFor(deadline(t, 30*time.Second), "healthy", func(ctx context.Context) error {
		a, err := stack.Send(ctx, http.MethodGet, p.url+"/healthz", nil, nil)
		if err == nil {
			err = wants(200, a)
		}
		return err
	}))
	return p
}

func (p *usersProcess) get(t *testing.T, path string) *stack.Answer {
	t.Helper()
	a, err := stack.Send(deadline(t, 20*time.Second), http.MethodGet, p.url+path, nil, nil)
	require.NoError(t, err)
	return a
}

func (p *usersProcess) ready(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, func(ctx context.Context) error {
		a, err := stack.Send(ctx, http.MethodGet, p.url+"/readyz", nil, nil)
		if err == nil {
			err = wants(200, a)
		}
		return err
	})
}

// TestUsersEndsAsAsked: SIGTERM lets a request under way finish, a second one does not.
func TestUsersEndsAsAsked(t *testing.T) {
	const name, password = "player", "randompassword"
	for how, c := range map[string]struct {
		second bool
		code   int
	}{
		"once":  {code: 0},
		"twice": {second: true, code: -1}, // ended by the signal
	} {
		t.Run(how, func(t *testing.T) {
			held, release := make(chan struct{}, 10), make(chan struct{})
			pool, err := strictfake.Start(strictfake.Config{
				PoolID: "eu-west-1_EXAMPLE", Clients: []strictfake.Client{{ID: "web"}},
				Hold: func(operation string) {
					if operation == tryCall {
						held <- struct{}{}
						<-release
					}
				},
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, pool.Close()) })
			pool.SetUser(name, strictfake.User{Password: password, Confirmed: true})
			dir := files(t, map[string]string{"gateway.yaml": ownGateway(t, pool.URL(), "")})
			p := startUsers(t, dir, "gateway.yaml", "authenticate")
			answered := make(chan error, 1)
			go func() {
				a, err := stack.Send(t.Context(), http.MethodPost, p.url+"/authenticate", nil, fmt.Appendf(nil, `{"username":%q,"password":%q}`, name, password))
				if err == nil {
					err = wants(200, a)
				}
				answered <- err
			}()
			<-held
			require.NoError(t, syscall.Kill(p.PID(), syscall.SIGTERM))
			eventually(t, 10*time.Second, func(ctx context.Context) error { // it takes no more
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(p.url, "http://"))
				if err == nil {
					return errors.Join(errors.New("it still listens"), conn.Close())
				}
				return nil
			})
			require.True(t, p.Running(), "it waits for the request")
			began := time.Now()
			if c.second {
				require.NoError(t, syscall.Kill(p.PID(), syscall.SIGTERM))
			} else {
				close(release)
			}
			select {
			case <-p.Done():
			case <-time.After(12 * time.Second):
				require.Fail(t, "it goes on")
			}
			if c.second {
				require.Less(t, time.Since(began), 5*time.Second, "at once")
				require.Error(t, <-answered)
				close(release)
			} else {
				require.NoError(t, <-answered)
			}
			require.Equal(t, c.code, p.ExitCode())
			log := strings.Join(p.Log.Tail(100), "\n")
			require.Equal(t, !c.second, strings.Contains(log, `"message":"user service ends"`), log)
			require.NotContains(t, log, password)
			require.NotContains(t, log, "goroutine ")
		})
	}
}
