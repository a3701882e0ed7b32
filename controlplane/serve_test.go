package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"adsidecar/envoy/gateway"
	"adsidecar/internal/program"
)

// TestHangupPollsNow: with an hour between two polls.
func TestHangupPollsNow(t *testing.T) {
	polled := make(chan struct{})
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"ads":[]}`))
		select {
		case polled <- struct{}{}:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(source.Close)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
listener: {address: "127.0.0.1:1"}
campaigns: {url: %q, poll_interval: 1h}
issuers: [{issuer: https://idp.example.com, client_ids: [games]}]
`, source.URL), 0o600))
	c, err := gateway.Load(file)
	require.NoError(t, err)
	c.XDS.Address, c.Admin.Address = "127.0.0.1:0", "127.0.0.1:0"
	c.Campaigns.StateDir = t.TempDir()

	core, logs := observer.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(t.Context())
	hangup := make(chan os.Signal)
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, hangup, program.Logs{Log: zap.New(core), Audit: zap.NewNop()}) }()
	await := func() {
		t.Helper()
		select {
		case <-polled:
		case err := <-ended:
			require.Fail(t, "ended", "%v", err)
		case <-time.After(patience):
			require.Fail(t, "no poll")
		}
	}
	await()
	for range 2 {
		hangup <- syscall.SIGHUP
		await()
	}
	cancel()
	require.NoError(t, <-ended)
	retries := logs.FilterMessage("retry: the source is polled now").All()
	require.Len(t, retries, 2)
	require.Contains(t, retries[0].ContextMap(), "out_of_quarantine")
}
