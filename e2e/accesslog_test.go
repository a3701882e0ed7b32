package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// logged sends requests that a log could keep too much of, ends Envoy and the control plane, and searches all that they wrote.
func (e *edge) logged(t *testing.T) {
	token := e.Token()
	for name, request := range map[string]string{
		"a query":                     "GET " + adQuery + "&access_token=" + token + " HTTP/1.1\r\nHost: x\r\n",
		"a country":                   "GET /ad_request?lang=eng&country=" + token + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a language":                  "GET /ad_request?country=us&lang=" + token + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a path":                      "GET /ad_request/" + token + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a request id":                "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + token + "\r\nAuthorization: " + token + "\r\n",
		"an address":                  "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + token + "\r\nAuthorization: " + token + "\r\n",
		"a host":                      "GET " + adQuery + " HTTP/1.1\r\nHost: " + token + "\r\nUser-Agent: " + token + "\r\nAuthorization: " + token + "\r\n",
		"an absolute URL":             "GET http://x" + adQuery + "&access_token=" + token + " HTTP/1.1\r\nHost: x\r\n",
		"a request without a path":    "GET HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a method":                    token + " " + adQuery + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a version":                   "GET " + adQuery + " " + token + "\r\nHost: x\r\nAuthorization: " + token + "\r\n",
		"a header without a name":     "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\n: " + token + "\r\n",
		"a header's name":             "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\n" + strings.ReplaceAll(token, ".", "_.") + ": x\r\n",
		"a header with an underscore": "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\nx_token: " + token + "\r\nAuthorization: " + token + "\r\n",
		"a request without a host":    "GET " + adQuery + " HTTP/1.1\r\nAuthorization: " + token + "\r\n",
		"too large a header":          "GET " + adQuery + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nX-Large: " + strings.Repeat(token, 100) + "\r\n",
		"a bad length":                "POST " + adQuery + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nContent-Length: " + token + "\r\n",
		"an upgrade":                  "GET /game/scores HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nConnection: upgrade\r\nUpgrade: " + token + "\r\n",
	} {
		t.Run("after "+name, func(t *testing.T) { require.NotZero(t, raw(t, e.Stack, request+"\r\n").Status) })
	}
	t.Run("after a method of HTTP/2", func(t *testing.T) { // which may be any word
		require.Equal(t, 405, e.send(t, 2, token, adQuery, http.Header{"Authorization": {token}}).Status)
		require.Equal(t, 401, e.send(t, 2, token, "/nowhere", http.Header{}).Status)
	})
	full := do(t, e.Stack, "GET", "/prod"+adQuery+"&hour=3&who=somebody", "Bearer "+token)
	require.Equal(t, 200, full.Status)
	refused := do(t, e.Stack, "GET", adQuery+"&who=somebody", "Bearer "+e.tampered(t, token))
	require.Equal(t, 401, refused.Status)

	lines, texts := endAndRead(t, e.Stack)
	for name, text := range texts {
		for _, token := range e.used {
			require.NotContains(t, text, token, name)
			parts := strings.Split(token, ".")
			if signature := parts[len(parts)-1]; signature != "" {
				require.NotContains(t, text, signature, "%s: a signature", name)
				require.NotContains(t, text, signature[:min(len(signature), 24)], "%s: the beginning of a signature", name)
			}
		}
	}
	for _, line := range lines {
		require.NotContains(t, line, "sub", "it is not configured")
		require.NotContains(t, line, "authorization")
		for _, field := range []string{"time", "code", "details", "duration_ms"} {
			require.Contains(t, line, field)
		}
	}

	line := lineOf(t, lines, full)
	at, err := time.Parse("2006-01-02T15:04:05.000Z", line["time"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, 5*time.Minute)
	require.GreaterOrEqual(t, line["duration_ms"], 0.0)
	delete(line, "time")
	delete(line, "duration_ms")
	require.Equal(t, map[string]any{
		"request_id": full.Header.Get("X-Request-Id"), "method": "GET", "path": "/prod/ad_request", "country": "us", "lang": "eng",
		"code": 200.0, "details": line["details"], "protocol": "HTTP/1.1", "flags": "-", "route": "ad_request",
		"bytes_in": 0.0, "bytes_out": float64(len(full.Body)), "client": "127.0.0.1",
	}, line, "and no other query value")
	line = lineOf(t, lines, refused)
	require.Equal(t, 401.0, line["code"])
	require.Contains(t, line["details"], "jwt_authn_access_denied")
	require.Equal(t, []any{"GET", "/ad_request", "us", "eng"}, []any{line["method"], line["path"], line["country"], line["lang"]})
}

// TestAccessLogSubject: the access log names the verified player where that is configured, and never one who only claims to be.
func TestAccessLogSubject(t *testing.T) {
	players := issuer(t, "https://players.example.com")
	s := start(t, stack.Options{
		NoMoto: true, Issuers: []stack.TrustedIssuer{stack.Trust(players, gameClient)}, Gateway: "listener: {access_log: {subject: true}}",
	})
	token, err := players.Sign(stack.Access(gameClient).With(map[string]any{"sub": "the-player"}))
	require.NoError(t, err)
	stranger, err := players.Sign(stack.Access("stranger").With(map[string]any{"sub": "a-stranger"}))
	require.NoError(t, err)
	bad, err := stack.Tampered(token)
	require.NoError(t, err)
	require.NoError(t, s.Envoy().WaitIndex(deadline(t, 30*time.Second), token))

	accepted, foreign, forged := do(t, s, "GET", adQuery, token), do(t, s, "GET", adQuery, stranger), do(t, s, "GET", adQuery, bad)
	healthy := do(t, s, "GET", "/health", token)
	require.Equal(t, []int{200, 403, 401, 200}, []int{accepted.Status, foreign.Status, forged.Status, healthy.Status})

	lines, _ := endAndRead(t, s)
	require.Equal(t, "the-player", lineOf(t, lines, accepted)["sub"])
	require.Equal(t, "a-stranger", lineOf(t, lines, foreign)["sub"], "verified, and of another app")
	require.NotContains(t, lineOf(t, lines, forged), "sub")
	require.NotContains(t, lineOf(t, lines, healthy), "sub", "a public route verifies nothing")
}

// endAndRead ends Envoy, which writes what its access log still holds, and the control plane. It returns the access log's lines, and
// all that each has written.
func endAndRead(t *testing.T, s *stack.Stack) (lines []map[string]any, texts map[string]string) {
	t.Helper()
	require.NoError(t, s.Envoy().Stop())
	require.NoError(t, s.ControlPlane().Stop())
	texts = map[string]string{}
	for name, path := range map[string]string{"Envoy": s.Envoy().LogFile, "the control plane": s.ControlPlane().LogFile} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, text)
		texts[name] = string(text)
	}
	for _, text := range strings.Split(texts["Envoy"], "\n") {
		if strings.HasPrefix(text, "{") {
			var line map[string]any
			require.NoError(t, json.Unmarshal([]byte(text), &line), text)
			lines = append(lines, line)
		}
	}
	return lines, texts
}

// lineOf is the access log's one line of the request that was answered so.
func lineOf(t *testing.T, lines []map[string]any, a *stack.Answer) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, line := range lines {
		if line["request_id"] == a.Header.Get("X-Request-Id") {
			found = append(found, line)
		}
	}
	require.Len(t, found, 1)
	return found[0]
}
