package monitoring

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/xds"
	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/users/api"
)

// registered returns the metrics of the parts of both programs, after enough has happened for each to have a series. Those that the
// mains register for their stores are not among them: no test can import a main.
func registered(t *testing.T) prometheus.Gatherer {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	_, err := counters.New(counters.Config{Registerer: r})
	require.NoError(t, err)
	_, err = xds.New(xds.Config{Registerer: r})
	require.NoError(t, err)
	for _, subsystem := range []string{"admin", "users"} {
		_, err = token.New(token.Config{
			Issuer: "https://issuer.example", JWKSURL: "https://issuer.example/keys", ClientIDs: []string{"game"}, Uses: []string{"access"},
			Registerer: r, Subsystem: subsystem,
		})
		require.NoError(t, err)
	}
	publishOnce(t, r)

	handler, err := api.New(api.Config{Serve: []api.Endpoint{api.Authenticate}, Accounts: noAccounts{}, Pool: noPool, Registerer: r})
	require.NoError(t, err)
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/authenticate", http.NoBody))
	return r
}

// publishOnce runs the publish loop until it has published an index.
func publishOnce(t *testing.T, r prometheus.Registerer) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	loop, err := publish.New(publish.Config{Source: emptySource{}, Sink: &sink{stop: stop}, Registerer: r})
	require.NoError(t, err)
	require.NoError(t, loop.Run(ctx))
}

type emptySource struct{}

func (emptySource) Poll(context.Context) (campaign.Snapshot, error) {
	return campaign.Snapshot{Data: []byte(`{"ads":[]}`)}, nil
}
func (emptySource) Changed() <-chan struct{}    { return nil }
func (emptySource) Describe() (kind, at string) { return "test", "here" }

// sink ends the loop with the first index.
type sink struct {
	stop    func()
	version atomic.Value
}

func (s *sink) Publish(index *compile.Result) error {
	s.version.Store(index.Version)
	s.stop()
	return nil
}

func (s *sink) Published() string {
	version, _ := s.version.Load().(string)
	return version
}
func (*sink) Acknowledged(string) bool { return false }

type noAccounts struct{}

func (noAccounts) SignIn(context.Context, string, string) (account.Session, error) {
	return account.Session{}, account.ErrUnavailable
}

func noPool(context.Context) error { return account.ErrUnavailable }

// literals returns what the first group of pattern finds in Go files of the repository that are no tests.
func literals(t *testing.T, files, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(files)
	require.NoError(t, err)
	var found []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			found = append(found, string(m[1]))
		}
	}
	require.NotEmpty(t, found, "%s: nothing like %s", files, pattern)
	return found
}

// storeMetrics are the names of the metrics that the programs' mains register for their stores, from the source.
func storeMetrics(t *testing.T) []string {
	t.Helper()
	const name = `"(adsidecar_[a-z_]+)"`
	return append(literals(t, "../controlplane/*.go", name), literals(t, "../users/*.go", name)...)
}
