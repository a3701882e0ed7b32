package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// fixture is the document of the decision's cases. Its windows are made from the hour h, so no clock is faked; ids tell the ads apart.
func fixture(t *testing.T, h int) []byte {
	t.Helper()
	window := func(c campaign, start, end int) campaign {
		c.StartHour, c.EndHour = start%24, end%24
		return c
	}
	quoted := ad("J", "jp", "jpn")
	quoted.VideoURL = `https://v/x?a=1&b="q"<é>`
	return document(t,
		ad("A1", "us", "eng"),
		window(ad("A2", "US", "ENG"), 7, 7),
		window(ad("A3", "us", "eng"), h, h+1),
		window(ad("B", "ca", "fre"), h+1, h+2),
		window(ad("C", "mx", "spa"), h+2, h+1),
		window(ad("D", "UK", "eng"), 0, 0),
		ad("E", "fr", "fre"),
		window(ad("F", "de", "ger"), h, 0),
		quoted,
	)
}

// thisHour is the UTC hour, once at least a minute of it is left: the run ends before the hour does.
func thisHour(t *testing.T) int {
	t.Helper()
	for {
		now := time.Now().UTC()
		left := now.Truncate(time.Hour).Add(time.Hour).Sub(now)
		if left > time.Minute {
			return now.Hour()
		}
		t.Logf("waiting %s for the next hour", left)
		<-time.After(left)
	}
}

// TestDecision sends every case of the decision through a real Envoy.
func TestDecision(t *testing.T) {
	s := served(t, stack.Options{Campaigns: fixture(t, thisHour(t)), Concurrency: 2})

	t.Run("three requests on one connection get the three ads once each", func(t *testing.T) {
		require.Equal(t, map[string]int{"A1": 1, "A2": 1, "A3": 1}, rotate(t, s, 3, "?country=us&lang=eng"))
	})
	t.Run("300 requests in two spellings get each ad 100 times", func(t *testing.T) {
		require.Equal(t, map[string]int{"A1": 100, "A2": 100, "A3": 100}, rotate(t, s, 300, "?country=us&lang=en", "?country=us&lang=eng"))
	})

	served := map[string][]string{ // query → ids, one of which is the answer
		"?country=US&lang=ENG":                    {"A1", "A2", "A3"},
		"?lang=eng&country=us":                    {"A1", "A2", "A3"},
		"?country=us&lang=en":                     {"A1", "A2", "A3"},
		"?country=mx&lang=spa":                    {"C"},
		"?country=gb&lang=eng":                    {"D"},
		"?country=uk&lang=eng":                    {"D"},
		"?country=fr&lang=fra":                    {"E"},
		"?country=fr&lang=fr":                     {"E"},
		"?country=fr&lang=fre":                    {"E"},
		"?country=de&lang=deu":                    {"F"},
		"?country=jp&lang=jpn":                    {"J"},
		"?country=%75%73&lang=eng":                {"A1", "A2", "A3"}, // decoded once
		"?%63ountry=us&lang=eng":                  {"A1", "A2", "A3"},
		"?country=us&country=us&lang=eng":         {"A1", "A2", "A3"},
		"?country=uk&country=GB&lang=eng":         {"D"},
		"?country=us&lang=eng&hour=3&foo=bar":     {"A1", "A2", "A3"},
		"?country=us&lang=eng&now=0&user_id=me":   {"A1", "A2", "A3"},
		"?country=us&lang=eng&x=%zz&&=&y":         {"A1", "A2", "A3"},
		"?country=us&lang=eng&Country=ca&LANG=fr": {"A1", "A2", "A3"}, // names are case-sensitive
	}
	for query, ids := range served {
		t.Run("200 "+query, func(t *testing.T) {
			a := get(t, s, query)
			require.Equal(t, 200, a.Status, a)
			got, err := a.Ad()
			require.NoError(t, err)
			require.Contains(t, ids, got.ID)
			require.Equal(t, got.VideoURL, got.URL)
			if got.ID == "J" {
				require.Equal(t, `https://v/x?a=1&b="q"<é>`, got.URL)
				require.Contains(t, string(a.Body), `&b=\"q\"<é>`, "compact, without HTML escaping")
			}
			constantHeaders(t, a)
		})
	}

	refused := map[string]struct {
		status      int
		code, param string
	}{
		"?country=ca&lang=fre":                {404, "no_ad_available", ""},
		"?country=us&lang=spa":                {404, "no_ad_available", ""},
		"?country=xx&lang=zzz":                {404, "no_ad_available", ""},
		"":                                    {400, "missing_parameter", "country"},
		"?":                                   {400, "missing_parameter", "country"},
		"?country=us":                         {400, "missing_parameter", "lang"},
		"?lang=eng":                           {400, "missing_parameter", "country"},
		"?Country=us&lang=eng":                {400, "missing_parameter", "country"},
		"?country=&lang=eng":                  {400, "missing_parameter", "country"},
		"?country=usa&lang=eng":               {400, "invalid_parameter", "country"},
		"?country=u5&lang=eng":                {400, "invalid_parameter", "country"},
		"?country=+us&lang=eng":               {400, "invalid_parameter", "country"},
		"?country=us%20&lang=eng":             {400, "invalid_parameter", "country"},
		"?country=u%00&lang=eng":              {400, "invalid_parameter", "country"},
		"?country=%zz&lang=eng":               {400, "invalid_parameter", "country"},
		"?country=%0d%0aX:y&lang=eng":         {400, "invalid_parameter", "country"},
		"?country=%C4%B0s&lang=eng":           {400, "invalid_parameter", "country"},
		"?country=%EF%BD%95%EF%BD%93&lang=en": {400, "invalid_parameter", "country"}, // fullwidth us
		"?country=us;lang=eng&lang=eng":       {400, "invalid_parameter", "country"},
		"?country=../&lang=eng":               {400, "invalid_parameter", "country"},
		"?country=%2575s&lang=eng":            {400, "invalid_parameter", "country"},
		"?country=us&lang=engl":               {400, "invalid_parameter", "lang"},
		"?country=us&lang=e":                  {400, "invalid_parameter", "lang"},
		"?country=us&country=ca&lang=eng":     {400, "duplicate_parameter", "country"},
		"?country=us&lang=eng&lang=fre":       {400, "duplicate_parameter", "lang"},
		"?country=us&lang=eng&x=" + strings.Repeat("a", 5<<10): {414, "uri_too_long", ""},
	}
	for query, want := range refused {
		t.Run(fmt.Sprintf("%d %.60s", want.status, query), func(t *testing.T) {
			a := get(t, s, query)
			requireError(t, a, want.status, want.code, want.param)
			require.Empty(t, a.Header.Get("X"), "no header is injected")
		})
	}
	t.Run("400 raw bytes that are not ASCII", func(t *testing.T) {
		a := raw(t, s, "GET /ad_request?country=\xef\xbd\x95\xef\xbd\x93&lang=eng HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s.Token()+"\r\n\r\n")
		require.Equal(t, 400, a.Status)
	})

	t.Run("HEAD is GET without the body, and takes no turn", func(t *testing.T) {
		before := get(t, s, "?country=us&lang=eng")
		for range 4 {
			a := do(t, s, "HEAD", "/ad_request?country=us&lang=eng", "Bearer "+s.Token())
			require.Equal(t, 200, a.Status)
			require.Empty(t, a.Body)
			require.Equal(t, fmt.Sprint(len(before.Body)), a.Header.Get("Content-Length"))
			constantHeaders(t, a)
		}
		a := do(t, s, "HEAD", "/ad_request?country=us", "Bearer "+s.Token())
		require.Equal(t, 400, a.Status)
		require.Empty(t, a.Body)
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run("405 "+method, func(t *testing.T) {
			a := do(t, s, method, "/ad_request?country=us&lang=eng", "Bearer "+s.Token())
			requireError(t, a, 405, "method_not_allowed", "")
			require.Equal(t, "GET, HEAD", a.Header.Get("Allow"))
			requireError(t, do(t, s, method, "/ad_request?country=us&lang=eng", ""), 401, "unauthorized", "")
		})
	}
	t.Run("a GET with a large body is answered, never hung on", func(t *testing.T) {
		a, err := s.Envoy().Do(deadline(t, 10*time.Second), "GET", "/ad_request?country=us&lang=eng", "Bearer "+s.Token(), make([]byte, 1<<20))
		require.NoError(t, err)
		require.Contains(t, []int{200, 413}, a.Status)
	})
	t.Run("431 for a large header, and the next connection is fine", func(t *testing.T) {
		a := raw(t, s, "GET /ad_request?country=us&lang=eng HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", 100<<10)+"\r\n\r\n")
		requireError(t, a, 431, "headers_too_large", "")
		require.Equal(t, 200, get(t, s, "?country=us&lang=eng").Status)
	})
	t.Run("a request that cannot be parsed", func(t *testing.T) {
		requireError(t, raw(t, s, "GET /ad request HTTP/1.1\r\nHost: x\r\n\r\n"), 400, "bad_request", "")
		requireError(t, raw(t, s, "GET /health HTTP/1.1\r\nHost: x\r\nunder_score: 1\r\n\r\n"), 400, "bad_request", "")
		requireError(t, raw(t, s, "GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n"), 501, "bad_request", "")
	})
}

// TestPaths: the path is exact, and no spelling of it gets around the token.
func TestPaths(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), Gateway: "listener: {served_by: edge-a}"})
	const query = "?country=us&lang=eng"
	send := func(path string, token bool) *stack.Answer {
		head := "GET " + path + query + " HTTP/1.1\r\nHost: x\r\n"
		if token {
			head += "Authorization: " + s.Token() + "\r\n"
		}
		return raw(t, s, head+"\r\n")
	}
	for _, path := range []string{
		"//ad_request", "/./ad_request", "/x/../ad_request", "/%61d_request", "/ad_request%2f..", "/AD_REQUEST", "/ad_request/",
		"/ad_request/..", "/health/../ad_request", "/ad_request;x=1", "/%2e/ad_request", "/prod/../ad_request", `/\ad_request`, "/ad_request%00",
		"/health/%2e%2e/ad_request", "/health/..;/ad_request",
	} {
		t.Run("without a token "+path, func(t *testing.T) {
			require.Contains(t, []int{400, 401}, send(path, false).Status)
		})
	}
	for _, path := range []string{"/ad_request/", "/AD_REQUEST", "/ad_requests", "/ad_request/x", "/x/ad_request", "/production/ad_request", "/prod/prod/ad_request", "/", "/unknown"} {
		t.Run("404 "+path, func(t *testing.T) {
			requireError(t, send(path, true), 404, "not_found", "")
		})
	}
	for _, path := range []string{"/ad_request", "/prod/ad_request", "/development/ad_request"} {
		t.Run("200 "+path, func(t *testing.T) {
			a := send(path, true)
			require.Equal(t, 200, a.Status, a)
			require.Equal(t, "edge-a", a.Header.Get("X-Served-By"))
		})
	}
	for _, path := range []string{"/health", "/prod/health", "/development/health"} {
		t.Run("healthy without a token "+path, func(t *testing.T) {
			a := do(t, s, "GET", path, "")
			require.Equal(t, 200, a.Status)
			require.JSONEq(t, `{"status":"healthy"}`, string(a.Body))
			constantHeaders(t, a)
			require.Equal(t, 200, do(t, s, "HEAD", path, "").Status)
			for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
				a := do(t, s, method, path, "")
				requireError(t, a, 405, "method_not_allowed", "")
				require.Equal(t, "GET, HEAD", a.Header.Get("Allow"))
			}
		})
	}
}

// rotate sends n requests on one connection, by turns with these queries, and counts the ids.
func rotate(t *testing.T, s *stack.Stack, n int, queries ...string) map[string]int {
	t.Helper()
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ids := map[string]int{}
	for i := range n {
		req, err := http.NewRequestWithContext(deadline(t, 10*time.Second), http.MethodGet, s.BaseURL()+"/ad_request"+queries[i%len(queries)], nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", s.Token())
		resp, err := client.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode, "%s", body)
		var got stack.Ad
		require.NoError(t, json.Unmarshal(body, &got))
		ids[got.ID]++
	}
	return ids
}

// raw sends bytes to the first Envoy's public port, where no client library corrects them, and reads one answer.
func raw(t *testing.T, s *stack.Stack, request string) *stack.Answer {
	t.Helper()
	u, err := url.Parse(s.BaseURL())
	require.NoError(t, err)
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", u.Host)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // only read
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(conn, request) // a request that is refused half way is answered all the same
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return &stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// constantHeaders are on every answer.
func constantHeaders(t *testing.T, a *stack.Answer) {
	t.Helper()
	require.Equal(t, []string{"application/json"}, a.Header.Values("Content-Type"))
	require.Equal(t, []string{"no-store"}, a.Header.Values("Cache-Control"))
	require.Equal(t, []string{"nosniff"}, a.Header.Values("X-Content-Type-Options"))
	require.Len(t, a.Header.Values("X-Request-Id"), 1)
	require.NotEmpty(t, a.Header.Get("X-Request-Id"))
	require.Empty(t, a.Header.Values("Server"))
	for name := range a.Header {
		require.False(t, strings.HasPrefix(name, "X-Envoy"), name)
	}
}

// requireError checks an error's status, its whole body's shape and the constant headers.
func requireError(t *testing.T, a *stack.Answer, status int, code, param string) {
	t.Helper()
	require.Equal(t, status, a.Status, a)
	constantHeaders(t, a)
	var body map[string]string
	require.NoError(t, json.NewDecoder(bytes.NewReader(a.Body)).Decode(&body), a)
	require.Equal(t, code, body["code"], a)
	require.NotEmpty(t, body["message"])
	require.Equal(t, param, body["param"], a)
	want := 2
	if param != "" {
		want = 3
	}
	require.Len(t, body, want, a)
	switch status {
	case 401:
		require.Equal(t, "Unauthorized", body["message"])
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	case 429, 503:
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
}
