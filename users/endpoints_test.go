package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/envoy/gateway"
	"adsidecar/users/api"
)

// TestTheGatewaysEndpointsAreTheServices: the two lists, and the paths made of them, are two packages' own. A process that serves one
// endpoint answers at its paths in the gateway, and at no other endpoint's.
func TestTheGatewaysEndpointsAreTheServices(t *testing.T) {
	require.Len(t, api.Endpoints, len(gateway.Endpoints))
	ready := func(context.Context) error { return nil }
	for i, served := range gateway.Endpoints {
		t.Run(string(served), func(t *testing.T) {
			require.Equal(t, string(served), string(api.Endpoints[i]), "in the same order: that of the log and of --help")
			h, err := api.New(api.Config{
				Serve:    []api.Endpoint{api.Endpoint(served)},
				Accounts: struct{ api.Accounts }{}, Records: struct{ api.Records }{}, Tokens: struct{ api.Tokens }{}, // not called
				Pool: ready, Store: ready, Keys: ready,
			})
			require.NoError(t, err)
			status := func(method, path string) int {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
				return w.Code
			}
			for _, e := range gateway.Endpoints {
				health, other := http.StatusNotFound, http.StatusNotFound
				if e == served {
					health, other = http.StatusOK, http.StatusMethodNotAllowed
				}
				require.Equal(t, health, status(http.MethodGet, e.HealthPath()), e.HealthPath())
				require.Equal(t, other, status(http.MethodDelete, e.Path()), e.Path())
			}
			require.Equal(t, http.StatusOK, status(http.MethodGet, gateway.UsersDocument))
		})
	}
}
