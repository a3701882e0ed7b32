package e2e

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spoofs: headers that proxies set to say who asks, or for what, say nothing here.
func (u *userService) spoofs(t *testing.T) {
	alice, bob := u.player(t, "alice"), u.player(t, "bob")
	hers, his := u.create(t, alice.id, johnBody), u.create(t, bob.id, johnBody)
	for name, value := range map[string]string{
		"X-User-Sub":                     bob.sub,
		"X-User-Id":                      bob.sub,
		"X-User":                         bob.name,
		"X-Forwarded-User":               bob.sub,
		"X-Forwarded-Preferred-Username": bob.name,
		"X-Forwarded-Groups":             "operators",
		"X-Auth-Request-User":            bob.sub,
		"X-Auth-Request-Groups":          "operators",
		"X-Remote-User":                  bob.sub,
		"Remote-User":                    bob.sub,
		"X-Amzn-Oidc-Identity":           bob.sub,
		"X-Amzn-Oidc-Data":               bob.id,
		"X-Amzn-Oidc-Accesstoken":        bob.access,
		"X-Cognito-Groups":               "operators",
		"Cognito-Groups":                 "operators",
		"X-Groups":                       "operators",
		"Sub":                            bob.sub,
		"X-Sub":                          bob.sub,
		"X-Owner":                        bob.sub,
		"X-Operator":                     "true",
		"X-Jwt-Claim-Sub":                bob.sub,
		"X-Jwt-Payload":                  strings.Split(bob.id, ".")[1],
		"X-Endpoint-Api-Userinfo":        strings.Split(bob.id, ".")[1],
		"X-Envoy-Original-Path":          "/read?userId=" + his,
		"X-Original-Url":                 "/read?userId=" + his,
		"X-Rewrite-Url":                  "/openapi.json",
		"X-Envoy-Original-Url":           "/openapi.json",
		"X-Forwarded-Prefix":             "/elsewhere",
		"X-Forwarded-Host":               "evil.example",
		"X-Forwarded-For":                "127.0.0.1",
		"X-Real-Ip":                      "127.0.0.1",
		"X-Envoy-External-Address":       "127.0.0.1",
		"X-Envoy-Internal":               "true",
		"X-Http-Method-Override":         "PUT",
		"X-Method-Override":              "DELETE",
		"X-Envoy-Upstream-Rq-Timeout-Ms": "1",
		"X-Envoy-Retry-On":               "5xx,retriable-4xx,retriable-status-codes",
		"X-Envoy-Retriable-Status-Codes": "404,201",
		"X-Envoy-Max-Retries":            "20",
		"X-Envoy-Decorator-Operation":    "x",
		"X-Envoy-Upstream-Alt-Stat-Name": "x",
		"X-Envoy-Force-Trace":            "true",
	} {
		t.Run(name, func(t *testing.T) {
			spoofed := http.Header{name: {value}}
			for _, send := range []func(*testing.T, ask) int{
				func(t *testing.T, q ask) int { return u.ask(t, q).Status },
				func(t *testing.T, q ask) int { return u.direct(t, q).Status },
			} {
				for _, q := range u.aboutRecord(his) {
					q.header = spoofed
					require.Equal(t, 401, send(t, q), "without a token")
					q.as = alice.id
					if q.method != http.MethodPost {
						require.Equal(t, 404, send(t, q), "somebody else's record")
					}
				}
			}
			a := u.ask(t, ask{method: "GET", path: "/read?userId=" + hers, as: alice.id, header: spoofed})
			require.Equal(t, 200, a.Status, a)
			require.JSONEq(t, recordOf(hers, johnBody), string(a.Body))
			require.Equal(t, `"1"`, a.Header.Get("ETag"))

			a = u.ask(t, ask{method: "POST", path: "/prod/create", as: alice.id, body: johnBody, header: spoofed})
			require.Equal(t, 201, a.Status, a)
			id, ok := members(t, a)["userId"].(string)
			require.True(t, ok)
			require.Equal(t, "/prod/read?userId="+id, resolve(t, "/prod/create", a.Header.Get("Location")))
			u.requireUntouched(t, alice.id, id, johnBody)
			require.Equal(t, 404, u.ask(t, ask{method: "GET", path: "/read?userId=" + id, as: bob.id}).Status, "it is hers")
		})
	}
	u.requireUntouched(t, bob.id, his, johnBody)
}

// behind: Envoy's admin, the control plane and all of the service that is not for clients are at loopback addresses of their own, and no
// request to the public address gets there.
func (u *userService) behind(t *testing.T) {
	t.Run("addresses", func(t *testing.T) {
		for name, base := range map[string]string{"the user service": u.Users().URL, "Envoy's admin": u.Envoy().AdminURL} {
			at, err := url.Parse(base)
			require.NoError(t, err)
			require.NoError(t, dial(t, "127.0.0.1:"+at.Port()), name)
			addresses, err := net.InterfaceAddrs()
			require.NoError(t, err)
			others := []string{"127.0.0.2"}
			for _, a := range addresses {
				if ip, ok := a.(*net.IPNet); ok && ip.IP.String() != "127.0.0.1" {
					others = append(others, ip.IP.String())
				}
			}
			for _, ip := range others {
				require.Error(t, dial(t, net.JoinHostPort(ip, at.Port())), "%s at %s", name, ip)
			}
		}
	})
	private := []string{ // of the service, Envoy's admin and the control plane
		"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/vars",
		"/stats", "/stats/prometheus", "/config_dump", "/clusters", "/server_info", "/listeners", "/certs", "/ready", "/logging", "/memory",
		"/quitquitquit", "/healthcheck/fail", "/drain_listeners", "/api/v1/status",
	}
	for _, path := range private {
		t.Run(path, func(t *testing.T) {
			for _, stage := range stages {
				for _, method := range []string{"GET", "POST"} {
					requireFault(t, u.ask(t, ask{method: method, path: stage + path}), 401, "unauthorized", "")
					requireFault(t, u.ask(t, ask{method: method, path: stage + path, as: u.Token()}), 404, "not_found", "")
				}
			}
		})
	}
	host := func(base string) string { return strings.TrimPrefix(base, "http://") }
	authorization := "Authorization: " + u.Token() + "\r\n"
	for _, target := range []string{
		"//metrics", "/./metrics", "/hc-read/../metrics", "/hc-read/..;/metrics", "/hc-read/%2e%2e/metrics", "/hc-read%2f..%2fmetrics", `/hc-read\..\metrics`,
		"/openapi.json/../metrics", "/prod/../metrics", "/prod//metrics", "/read/../metrics", "/%6detrics", "/metrics?userId=00000000", "/read#/../metrics",
		"http://" + host(u.Users().URL) + "/metrics", "http://" + host(u.Envoy().AdminURL) + "/stats",
	} {
		for name, head := range map[string]string{"": "", "with a token": authorization} {
			for _, to := range []string{"gateway.example", host(u.Users().URL), host(u.Envoy().AdminURL)} {
				t.Run(strings.Join([]string{target, name, to}, " "), func(t *testing.T) {
					a := raw(t, u.Stack, "GET "+target+" HTTP/1.1\r\nHost: "+to+"\r\n"+head+"\r\n")
					require.Contains(t, []int{400, 401, 404}, a.Status, a)
					u.contract.checkBody(t, "Error", a)
				})
			}
		}
	}
	for _, to := range []string{host(u.Users().URL), host(u.Envoy().AdminURL)} {
		for _, head := range []string{"", authorization} {
			a := raw(t, u.Stack, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n"+head+"\r\n")
			require.Contains(t, []int{400, 401, 403, 404, 405}, a.Status, a)
		}
	}
	require.True(t, u.Envoy().Process().Running(), "nobody has told it to end")
}

// dial is whether something listens at the address.
func dial(t *testing.T, address string) error {
	t.Helper()
	c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}
