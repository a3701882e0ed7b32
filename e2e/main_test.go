package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// What all tests share. It is made once, because moto's start and the build cost seconds.
var (
	tools    *stack.Tools
	programs *stack.Programs
	moto     *stack.Moto
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var err error
	if tools, err = stack.FindTools(ctx, stack.ToolsConfig{Progress: os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if programs, err = stack.Build(ctx, tools.Root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if moto, err = stack.StartMoto(ctx, stack.MotoConfig{Tools: tools}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer moto.Close()
	return m.Run()
}

// start starts a stack that ends with the test. The log files of a failed test are kept, and named.
func start(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	o.Tools, o.Programs = tools, programs
	if !o.NoMoto {
		o.Moto = moto
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "adsidecar-e2e-")
		require.NoError(t, err)
		o.Dir = dir
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("logs are kept in %s", dir)
				return
			}
			require.NoError(t, os.RemoveAll(dir))
		})
	}
	s, err := stack.Start(deadline(t, 90*time.Second), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// served is start, and waits until an index is served.
func served(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	s := start(t, o)
	require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
	return s
}

// deadline is the test's context, cut after d.
func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// get asks the first Envoy with the demo user's token.
func get(t *testing.T, s *stack.Stack, query string) *stack.Answer {
	t.Helper()
	return do(t, s, "GET", "/ad_request"+query, "Bearer "+s.Token())
}

// do sends a request to the first Envoy with this Authorization header; "" is none.
func do(t *testing.T, s *stack.Stack, method, path, authorization string) *stack.Answer {
	t.Helper()
	a, err := s.Envoy().Do(deadline(t, 20*time.Second), method, path, authorization, nil)
	require.NoError(t, err)
	return a
}

// eventually waits until probe returns nil.
func eventually(t *testing.T, d time.Duration, probe func(ctx context.Context) error) {
	t.Helper()
	require.NoError(t, stack.Poll(deadline(t, d), probe))
}

// inTime waits until probe returns nil, and fails if the product took longer than d.
func inTime(t *testing.T, d time.Duration, probe func(ctx context.Context) error) {
	t.Helper()
	watch := stack.StartStopwatch()
	eventually(t, time.Minute, probe)
	require.LessOrEqual(t, watch.Took(), d)
}

// campaign is one ad of a document.
type campaign struct {
	ID        string `json:"id"`
	VideoURL  string `json:"video_url"`
	Country   string `json:"country"`
	Lang      string `json:"lang"`
	StartHour int    `json:"start_hour"`
	EndHour   int    `json:"end_hour"`
}

// ad is a campaign that runs all day.
func ad(id, country, lang string) campaign {
	return campaign{ID: id, VideoURL: "https://video.example.com/" + id + ".mp4", Country: country, Lang: lang, EndHour: 24}
}

// document is the campaign document of these ads.
func document(t *testing.T, ads ...campaign) []byte {
	t.Helper()
	if ads == nil {
		ads = []campaign{}
	}
	data, err := json.Marshal(map[string]any{"ads": ads})
	require.NoError(t, err)
	return data
}

// testModule is the module with test hooks: the headers x-test-unix (the clock of a request, Unix seconds) and x-test-panic (go, trap),
// and an index with the key zz/zzz is refused.
var testModule = sync.OnceValues(func() (string, error) {
	path := filepath.Join(tools.Root, "bin", "adsidecar-test.wasm")
	cmd := exec.Command("go", "run", "./filter/build", "-o", path, "-tags", "testhooks")
	cmd.Dir = tools.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the test module: %w\n%s", err, out)
	}
	return path, nil
})

// hooks is the path of the module with test hooks.
func hooks(t *testing.T) string {
	t.Helper()
	path, err := testModule()
	require.NoError(t, err)
	return path
}
