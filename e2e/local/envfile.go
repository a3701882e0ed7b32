package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"adsidecar/e2e/stack"
)

// envFile is the name of the file that tells scripts where everything is. It exists while an ad is served.
const envFile = "env"

// writeEnv writes the file at once: a reader sees all of it or nothing. It is the owner's alone, as it has a password.
func (l *local) writeEnv() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	var b strings.Builder
	for _, kv := range l.env() {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], shellWord(kv[1]))
	}
	if err := stack.ReplaceFile(filepath.Join(l.dir, envFile), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", envFile, err)
	}
	return nil
}

func (l *local) env() [][2]string {
	s := l.stack
	all := [][2]string{
		{"BASE_URL", l.baseURL()},
		{"COGNITO_ENDPOINT", s.Moto.Endpoint},
		{"USER_POOL_ID", s.Pool.ID},
		{"CLIENT_ID", s.ClientID},
		{"DEMO_USERNAME", stack.Username}, // a shell has a USERNAME of its own
		{"DEMO_PASSWORD", stack.Password},
		{"SOURCE_FILE", filepath.Join(l.dir, sourceFile)},
		// With these, commands can read compose/gateway.yaml. Not the ports: the next `make run` would take them for a choice.
		{"ISSUER", s.Pool.Issuer},
		{"JWKS_URL", s.Pool.JWKSURL},
		{"SOURCE_URL", s.Source.URL()},
		{"STATE_DIR", s.ControlPlane().StateDir},
		{"ENVOY_ADMIN", s.Envoy().AdminURL},
		{"CONTROLPLANE_URL", s.ControlPlane().URL},
		{"ENVOY_PID", fmt.Sprint(s.Envoy().Process().PID())},
		{"CONTROLPLANE_PID", fmt.Sprint(s.ControlPlane().Process().PID())},
		{"USERS_CLIENT_ID", s.UsersClientID},
		{"USERS_URL", s.Users().URL},
		{"USERS_PID", fmt.Sprint(s.Users().Process().PID())},
		// Not STORE: the next `make run` of a shell that has read this file would take it for a choice.
		{"USERS_STORE", l.store},
	}
	if l.store != stack.DynamoDB {
		return append(all, [2]string{"USERS_FILE", s.UsersFile()})
	}
	return append(all, [][2]string{
		{"USERS_TABLE", s.UsersTable},
		{"DYNAMODB_ENDPOINT", s.Moto.Endpoint},
		{"AWS_ACCESS_KEY_ID", stack.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", stack.AccessKey},
		{"AWS_REGION", stack.Region},
		{"AWS_DEFAULT_REGION", stack.Region}, // the name that Python's SDK reads
	}...)
}

// baseURL is the gateway's URL as row S8 writes it, with localhost.
func (l *local) baseURL() string {
	return strings.Replace(l.stack.BaseURL(), "127.0.0.1", "localhost", 1)
}

// plain are values that a shell and a parser of KEY=VALUE lines read alike.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// shellWord quotes what is not plain, such as a path with a blank.
func shellWord(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// claim makes this the only run with this lock file, which holds the process number of the run that has it.
func claim(path string) (*os.File, error) {
	f, err := stack.TryLock(path)
	if err == nil {
		if err = errors.Join(f.Truncate(0), writePID(f)); err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		return f, nil
	}
	if !errors.Is(err, stack.ErrLocked) {
		return nil, err
	}
	holder, _ := os.ReadFile(path) // without the number the message is right as well
	return nil, fmt.Errorf("it is already running (process %s): stop that with Ctrl-C, or use what it offers: %s",
		strings.TrimSpace(string(holder)), filepath.Join(filepath.Dir(path), envFile))
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}
