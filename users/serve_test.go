package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
	"adsidecar/internal/cognito/strictfake"
	"adsidecar/users/boltstore"
)

const (
	clientSecretText = "the-app-clients-secret"
	password         = "randompassword"
	player           = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
		`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Short St"}}`
)

// service is a configuration of serve in this process: a file of the test's folder, and the strict stand-in for Cognito.
type service struct {
	dir, config, file, url string
	pool                   *strictfake.Server
	client                 *http.Client
}

// newService writes the configuration, with further lines of users.
func newService(t *testing.T, more string) *service {
	t.Helper()
	for _, kv := range stack.AWSEnvironment {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	pool, err := strictfake.Start(strictfake.Config{Clients: []strictfake.Client{{ID: "users", Secret: clientSecretText}}, AccessKeys: []string{stack.AccessKey}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	port, err := stack.ReservePort()
	require.NoError(t, err)
	t.Cleanup(port.Release)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)

	dir := t.TempDir()
	s := &service{
		dir: dir, config: filepath.Join(dir, "gateway.yaml"), file: filepath.Join(dir, "users.db"), url: port.URL(),
		pool: pool, client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
	}
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(clientSecretText+"\n"), 0o600))
	users := fmt.Sprintf(`
  address: %s
  cognito: {client_secret_file: %q, endpoint: %q}
  store: {file: %q}
`, port.Address(), secret, pool.URL(), s.file)
	require.NoError(t, os.WriteFile(s.config, fmt.Appendf(nil, `
issuers: [{issuer: %q, jwks_url: %q, client_ids: [users]}]
campaigns: {file: campaigns.json}
users:%s%s
`, pool.Issuer(), pool.JWKSURL(), users, more), 0o600))
	return s
}

// ended is how serve ended.
type ended struct {
	code int
	log  string
}

// start runs serve and waits until it is live and has read the issuer's keys. The function that it returns ends it.
func (s *service) start(t *testing.T, args ...string) (stop func() ended) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var stderr bytes.Buffer // read when nobody writes any more
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--config", s.config}, args...), strings.NewReader(""), io.Discard, &stderr)
	}()
	within, stopWaiting := context.WithTimeout(ctx, 30*time.Second)
	defer stopWaiting()
	require.NoError(t, stack.Poll(within, func(ctx context.Context) error {
		if len(done) > 0 {
			stopWaiting()
			return errors.New("it has ended: " + stderr.String())
		}
		a, err := s.send(ctx, http.MethodGet, "/readyz", "", "")
		if err == nil && strings.Contains(string(a.Body), "token verifier") {
			err = errors.New("the issuer's keys are not read yet")
		}
		return err
	}))
	return func() ended {
		cancel()
		select {
		case code := <-done:
			return ended{code, stderr.String()}
		case <-time.After(drain):
			require.Fail(t, "it goes on")
			return ended{}
		}
	}
}

func (s *service) send(ctx context.Context, method, path, token, body string) (*stack.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(res.Body)
	return &stack.Answer{Status: res.StatusCode, Header: res.Header, Body: data}, errors.Join(err, res.Body.Close())
}

func (s *service) do(t *testing.T, status int, method, path, token, body string) *stack.Answer {
	t.Helper()
	a, err := s.send(t.Context(), method, path, token, body)
	require.NoError(t, err)
	require.Equal(t, status, a.Status, "%s %s: %s", method, path, a)
	return a
}

func (s *service) signIn(t *testing.T, name string) (token string) {
	t.Helper()
	a := s.do(t, 200, http.MethodPost, "/authenticate", "", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password))
	var in stack.SignedIn
	require.NoError(t, json.Unmarshal(a.Body, &in))
	return in.IDToken
}

func TestServe(t *testing.T) {
	s := newService(t, "")
	stop := s.start(t, "--log-level", "debug")
	a, err := stack.Send(t.Context(), http.MethodGet, s.url+"/readyz", nil, nil)
	require.NoError(t, err)
	require.Equal(t, 200, a.Status, "HTTP/1 is spoken as well")

	token := s.signIn(t, "john")
	read := "/" + s.do(t, 201, http.MethodPost, "/create", token, player).Header.Get("Location")
	s.do(t, 200, http.MethodGet, read, token, "")
	s.do(t, 401, http.MethodGet, read, "", "")
	_, id, _ := strings.Cut(read, "=")
	s.do(t, 200, http.MethodPut, "/update", token, `{"userId":"`+id+`","mobileNumber":"0411111111"}`)
	require.Contains(t, string(s.do(t, 200, http.MethodGet, "/metrics", "", "").Body), `adsidecar_users_requests_total{code="201",endpoint="create"} 1`)
	s.do(t, 200, http.MethodGet, "/openapi.json", "", "")

	first := stop()
	require.Equal(t, 0, first.code, first.log)
	for _, line := range []string{`"message":"user service starts"`, `"message":"user service ends"`, `"endpoints":["authenticate","create","read","update"]`, `"store":"file:`} {
		require.Contains(t, first.log, line)
	}
	for _, secret := range []string{clientSecretText, password, token, "leichhdart", "047777777"} {
		require.NotContains(t, first.log, secret)
	}
	t.Run("the store is free at once, and has what it had", func(t *testing.T) {
		stop := s.start(t)
		require.Contains(t, string(s.do(t, 200, http.MethodGet, read, s.signIn(t, "john"), "").Body), "0411111111")
		require.Equal(t, 0, stop().code)
	})
}

func TestServeChosenEndpoints(t *testing.T) {
	s := newService(t, "")
	t.Run("signing in alone opens no store", func(t *testing.T) {
		stop := s.start(t, "--serve", "authenticate")
		s.signIn(t, "john")
		for _, path := range []string{"/hc-create", "/hc-read", "/hc-update", "/read?userId=00000000"} {
			s.do(t, 404, http.MethodGet, path, "", "")
		}
		s.do(t, 200, http.MethodGet, "/readyz", "", "")
		require.Equal(t, 0, stop().code)
		require.NoFileExists(t, s.file)
	})
	t.Run("records alone need no secret of the user pool", func(t *testing.T) {
		require.NoError(t, os.Remove(filepath.Join(s.dir, "secret")))
		stop := s.start(t, "--serve", "read, update", "--serve", "read")
		for path, status := range map[string]int{"/hc-read": 200, "/hc-update": 200, "/hc-create": 404, "/hc-authenticate": 404, "/authenticate": 404, "/readyz": 200} {
			s.do(t, status, http.MethodGet, path, "", "")
		}
		end := stop()
		require.Equal(t, 0, end.code)
		require.Contains(t, end.log, `"endpoints":["read","update"]`, "each once")
	})
}

// TestServeAccess: the key reaches the service.
func TestServeAccess(t *testing.T) {
	for access, status := range map[string]int{"owner": 404, "any_signed_in": 200} {
		t.Run(access, func(t *testing.T) {
			s := newService(t, "  access: "+access+"\n")
			stop := s.start(t)
			read := "/" + s.do(t, 201, http.MethodPost, "/create", s.signIn(t, "john"), player).Header.Get("Location")
			s.do(t, status, http.MethodGet, read, s.signIn(t, "mary"), "")
			require.Equal(t, 0, stop().code)
		})
	}
}

// TestServeWithoutItsParts: what is away is no reason to end; readiness names it.
func TestServeWithoutItsParts(t *testing.T) {
	s := newService(t, "")
	s.pool.Fail("DescribeUserPoolClient", strictfake.Fault{Error: strictfake.AccessDenied})
	stop := s.start(t)
	require.Contains(t, string(s.do(t, 503, http.MethodGet, "/readyz", "", "").Body), "the user pool is unavailable")
	s.do(t, 503, http.MethodGet, "/hc-authenticate", "", "")
	s.do(t, 200, http.MethodGet, "/hc-read", "", "")
	end := stop()
	require.Equal(t, 0, end.code)
	require.Contains(t, end.log, "is not authorized to perform")
}

// TestServeFreesTheStore: also when it fails after having opened it.
func TestServeFreesTheStore(t *testing.T) {
	s := newService(t, "")
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	var stderr bytes.Buffer
	require.Equal(t, 1, run(t.Context(), []string{"serve", "--config", s.config}, strings.NewReader(""), io.Discard, &stderr))
	require.Contains(t, stderr.String(), "adsidecar-users: users.address: listen tcp")
	require.NoError(t, taken.Close())
	store, err := boltstore.Open(s.file)
	require.NoError(t, err)
	t.Run("and says who else has it", func(t *testing.T) {
		stderr.Reset()
		require.Equal(t, 1, run(t.Context(), []string{"serve", "--config", s.config}, strings.NewReader(""), io.Discard, &stderr))
		require.Contains(t, stderr.String(), "users.store.file: open "+s.file+": another process has the file open")
	})
	require.NoError(t, store.Close())
}

func TestServeWarnsOfPlaintext(t *testing.T) {
	s := newService(t, "")
	stop := s.start(t)
	require.NotContains(t, stop().log, "plaintext")
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	own := strings.TrimPrefix(s.url, "http://127.0.0.1:")
	text = bytes.Replace(text, []byte("address: 127.0.0.1:"), []byte("insecure: true\n  connect: [\"127.0.0.1:"+own+"\"]\n  address: 0.0.0.0:"), 1)
	require.NoError(t, os.WriteFile(s.config, text, 0o600))
	stop = s.start(t)
	require.Contains(t, stop().log, `"message":"plaintext beyond loopback`)
}
