package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestVerifyReturnsTheClaims(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	expires := time.Unix(p.in(time.Hour), 0)
	tests := map[string]struct {
		token string
		want  Claims
	}{
		"of an access token": {p.access(nil), Claims{Subject: "user-1", Expires: expires}},
		"of an ID token":     {p.id(nil), Claims{Subject: "user-1", Expires: expires}},
		"of another client that is accepted": {
			p.access(map[string]any{"client_id": "client-2"}), Claims{Subject: "user-1", Expires: expires},
		},
		"with groups": {
			p.id(map[string]any{"cognito:groups": []string{"operators", "é"}}),
			Claims{Subject: "user-1", Groups: []string{"operators", "é"}, Expires: expires},
		},
		"of a program": { // client credentials have no user
			p.access(map[string]any{"sub": client}), Claims{Subject: client, Expires: expires},
		},
		"with an expiry that has a fraction": {
			p.access(map[string]any{"exp": float64(p.in(0)) + 0.5}),
			Claims{Subject: "user-1", Expires: time.Unix(p.in(0), 500_000_000)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"", "Bearer ", "bearer "} {
				for range 2 { // the second one is remembered
					got, err := v.Verify(t.Context(), prefix+tt.token)
					require.NoError(t, err)
					require.Equal(t, tt.want, got)
				}
			}
		})
	}
}

func TestVerifyRefusesAHeaderThatIsNotOneToken(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	good := p.access(nil)
	require.NoError(t, verify(t, v, good))
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	require.NoError(t, err)

	tests := map[string]string{
		"nothing":                             "",
		"the scheme alone":                    "Bearer",
		"the scheme and a space":              "Bearer ",
		"the scheme in capitals":              "BEARER " + good,
		"two spaces":                          "Bearer  " + good,
		"a tab":                               "Bearer\t" + good,
		"a space in front":                    " " + good,
		"a space behind":                      good + " ",
		"a line end behind":                   good + "\n",
		"the scheme twice":                    "Bearer Bearer " + good,
		"another scheme":                      "Basic " + good,
		"another scheme in front":             "Basic Bearer " + good,
		"two tokens":                          good + "," + good,
		"two headers joined":                  "Bearer " + good + ", Bearer " + good,
		"a token of two parts":                header + "." + payload,
		"a token of four parts":               good + ".x",
		"a token of five parts, as encrypted": good + "." + payload + "." + signature, // Cognito's refresh tokens
		"no header":                           "." + payload + "." + signature,
		"no payload":                          header + ".." + signature,
		"no signature":                        header + "." + payload + ".",
		"a padded signature":                  good + "==",
		"the alphabet of standard base64":     header + "." + payload + "." + base64.RawStdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xff}),
		"the JSON form of a JWS": fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`,
			payload, header, signature),
		"a line end inside":             header + "." + payload + ".\n" + signature,
		"a signature with unused bits":  header + "." + payload + "." + withUnusedBits(t, signature),
		"a signature that is cut":       header + "." + payload + "." + encode(raw[:255]),
		"a signature that is too long":  header + "." + payload + "." + encode(append(raw, 0)),
		"a signature of zeros":          header + "." + payload + "." + encode(make([]byte, 256)),
		"a payload with unused bits":    header + "." + payload + "A." + signature,
		"a header that is not base64":   "A." + payload + "." + signature,
		"no letters of this world":      "Bearer ключ.ключ.ключ",
		"more than 16 KiB":              "Bearer " + p.access(map[string]any{"padding": strings.Repeat("x", 12<<10)}),
		"a megabyte":                    strings.Repeat("a", 1<<20) + ".b.c",
		"a megabyte of dots":            strings.Repeat(".", 1<<20),
		"a null byte in the token":      header + "." + payload + "\x00." + signature,
		"bytes that are no UTF-8":       "Bearer \xff\xfe.\xff.\xff",
		"a query's form of the token":   "access_token=" + good,
		"the token in quotes":           `"` + good + `"`,
		"the token after another comma": "," + good,
	}
	for name, authorization := range tests {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, verify(t, v, authorization), ErrUnauthorized) })
	}
}

// withUnusedBits returns another text for the same bytes.
func withUnusedBits(t *testing.T, s string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	other := s[:len(s)-1] + string(alphabet[last^1])
	a, err := base64.RawURLEncoding.DecodeString(s)
	require.NoError(t, err)
	b, err := base64.RawURLEncoding.DecodeString(other)
	require.NoError(t, err)
	require.Equal(t, a, b)
	return other
}

func TestVerifyTakesAHeaderOf16KiB(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	for size := 11 << 10; ; size++ {
		switch authorization := "Bearer " + p.access(map[string]any{"padding": strings.Repeat("x", size)}); {
		case len(authorization) < maxBytes-2:
			size += (maxBytes - len(authorization)) / 2
		case len(authorization) <= maxBytes:
			require.NoError(t, verify(t, v, authorization))
		default:
			require.ErrorContains(t, verify(t, v, authorization), "longer than 16 KiB")
			return
		}
	}
}

func TestVerifyChecksTheClaims(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	lists := func(values ...any) []any { return values }
	tests := map[string]struct {
		claims map[string]any
		want   error
	}{
		"no expiry":                              {map[string]any{"exp": nil}, ErrUnauthorized},
		"expired for less than the skew":         {map[string]any{"exp": p.in(-60 * time.Second)}, nil},
		"expired for longer":                     {map[string]any{"exp": p.in(-61 * time.Second)}, ErrUnauthorized},
		"expired at the beginning of time":       {map[string]any{"exp": 0}, ErrUnauthorized},
		"an expiry before the beginning":         {map[string]any{"exp": -1}, ErrUnauthorized},
		"an expiry past all years":               {map[string]any{"exp": 1e18}, ErrUnauthorized},
		"an expiry that no float holds":          {map[string]any{"exp": json.RawMessage("1e999")}, ErrUnauthorized},
		"an expiry that is a string":             {map[string]any{"exp": fmt.Sprint(p.in(time.Hour))}, ErrUnauthorized},
		"an expiry that is null":                 {map[string]any{"exp": null}, ErrUnauthorized},
		"an expiry that is true":                 {map[string]any{"exp": true}, ErrUnauthorized},
		"an expiry in a list":                    {map[string]any{"exp": lists(p.in(time.Hour))}, ErrUnauthorized},
		"valid within the skew":                  {map[string]any{"nbf": p.in(60 * time.Second)}, nil},
		"valid later":                            {map[string]any{"nbf": p.in(61 * time.Second)}, ErrUnauthorized},
		"valid since before":                     {map[string]any{"nbf": p.in(-time.Hour)}, nil},
		"valid from a string":                    {map[string]any{"nbf": "0"}, ErrUnauthorized},
		"valid from null":                        {map[string]any{"nbf": null}, ErrUnauthorized},
		"issued within the skew":                 {map[string]any{"iat": p.in(60 * time.Second)}, nil},
		"issued later":                           {map[string]any{"iat": p.in(61 * time.Second)}, ErrUnauthorized},
		"issued at a string":                     {map[string]any{"iat": "0"}, ErrUnauthorized},
		"issued nobody knows when":               {map[string]any{"iat": nil}, nil},
		"no issuer":                              {map[string]any{"iss": nil}, ErrUnauthorized},
		"another issuer":                         {map[string]any{"iss": "https://evil.example.com"}, ErrUnauthorized},
		"the issuer with a slash":                {map[string]any{"iss": issuer + "/"}, ErrUnauthorized},
		"the issuer in capitals":                 {map[string]any{"iss": strings.ToUpper(issuer)}, ErrUnauthorized},
		"the issuer in a list":                   {map[string]any{"iss": lists(issuer)}, ErrUnauthorized},
		"no subject":                             {map[string]any{"sub": nil}, ErrUnauthorized},
		"an empty subject":                       {map[string]any{"sub": ""}, ErrUnauthorized},
		"a subject that is a number":             {map[string]any{"sub": 1}, ErrUnauthorized},
		"a subject that is null":                 {map[string]any{"sub": null}, ErrUnauthorized},
		"the subject under another name":         {map[string]any{"sub": nil, "Sub": "user-1"}, ErrUnauthorized},
		"no kind":                                {map[string]any{"token_use": nil}, ErrUnauthorized},
		"a kind that is a list":                  {map[string]any{"token_use": lists("access")}, ErrUnauthorized},
		"a refresh token":                        {map[string]any{"token_use": "refresh"}, ErrForbidden},
		"a kind in capitals":                     {map[string]any{"token_use": "Access"}, ErrForbidden},
		"another client":                         {map[string]any{"client_id": "client-3"}, ErrForbidden},
		"a client that begins like one":          {map[string]any{"client_id": client + "0"}, ErrForbidden},
		"no client":                              {map[string]any{"client_id": nil}, ErrUnauthorized},
		"a list of clients":                      {map[string]any{"client_id": lists(client)}, ErrUnauthorized},
		"an access token with the client as aud": {map[string]any{"client_id": nil, "aud": client}, ErrUnauthorized},
		"an ID token with its client as client_id": {
			map[string]any{"token_use": "id"}, ErrUnauthorized,
		},
		"an ID token of another client": {
			map[string]any{"token_use": "id", "client_id": client, "aud": "client-3"}, ErrForbidden,
		},
		"an ID token for a list of clients": {map[string]any{"token_use": "id", "aud": lists(client)}, ErrUnauthorized},
		"groups that are a string":          {map[string]any{"cognito:groups": "operators"}, ErrUnauthorized},
		"groups that are null":              {map[string]any{"cognito:groups": null}, ErrUnauthorized},
		"groups that are an object":         {map[string]any{"cognito:groups": map[string]any{}}, ErrUnauthorized},
		"groups that are numbers":           {map[string]any{"cognito:groups": lists("operators", 1)}, ErrUnauthorized},
		"groups that are null each":         {map[string]any{"cognito:groups": lists(null)}, ErrUnauthorized},
		"no groups in the list":             {map[string]any{"cognito:groups": json.RawMessage("[]")}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // it stays so
				err := verify(t, v, p.access(tt.claims))
				if tt.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tt.want)
				}
			}
		})
	}
}

func TestVerifyRefusesAPayloadThatCanBeReadInTwoWays(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	good := marshal(merge(map[string]any{
		"iss": issuer, "sub": "user-1", "token_use": "access", "client_id": client, "exp": p.in(time.Hour),
	}, nil))
	header := marshal(map[string]any{"alg": "RS256", "kid": kid})
	require.NoError(t, verify(t, v, signText(header, good, poolKey())))
	with := func(more string) string { return strings.TrimSuffix(good, "}") + "," + more + "}" }
	for name, payload := range map[string]string{
		"a claim twice":                      with(`"sub":"admin"`),
		"a claim twice, once escaped":        with(`"s\u0075b":"admin"`),
		"a claim twice, below":               with(`"other":{"a":1,"a":2}`),
		"two payloads":                       good + good,
		"something behind":                   good + "x",
		"bytes that are no UTF-8":            with("\"x\":\"\xff\""),
		"half a surrogate pair":              with(`"x":"\ud800"`),
		"a comma too many":                   strings.TrimSuffix(good, "}") + ",}",
		"a list":                             "[" + good + "]",
		"a string":                           `"x"`,
		"null":                               "null",
		"nothing but a space":                " ",
		"a byte order mark":                  "\ufeff" + good,
		"a cut object":                       strings.TrimSuffix(good, "}"),
		"an object deeper than anybody goes": with(`"x":` + strings.Repeat("[", 10_500)),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, verify(t, v, signText(header, payload, poolKey())), ErrUnauthorized)
		})
	}
}

func TestVerifyAcceptsTheConfiguredKindsOnly(t *testing.T) {
	p := newPool(t)
	for use, tt := range map[string]struct{ good, bad string }{
		"id":     {p.id(nil), p.access(nil)},
		"access": {p.access(nil), p.id(nil)},
	} {
		t.Run(use, func(t *testing.T) {
			cfg := p.config(t)
			cfg.Uses = []string{use}
			v := newVerifier(t, cfg)
			require.NoError(t, v.keys.read(t.Context(), 0))
			require.NoError(t, verify(t, v, tt.good))
			require.ErrorIs(t, verify(t, v, tt.bad), ErrForbidden)
		})
	}
}

func TestVerifyBoundsTheLifetime(t *testing.T) {
	p := newPool(t)
	cfg := p.config(t)
	cfg.MaxLifetime = time.Hour
	v := newVerifier(t, cfg)
	require.NoError(t, v.keys.read(t.Context(), 0))
	long := p.access(map[string]any{"exp": p.in(time.Hour)})
	require.ErrorContains(t, verify(t, v, long), "lives longer")
	require.NoError(t, verify(t, v, p.access(map[string]any{"exp": p.in(time.Hour - time.Second)})))
	p.advance(time.Second)
	require.NoError(t, verify(t, v, long))
}

func TestVerifyCountsWhatItFinds(t *testing.T) {
	p := newPool(t)
	registry := prometheus.NewRegistry()
	cfg := p.config(t)
	cfg.Registerer, cfg.Subsystem = registry, "users"
	v := newVerifier(t, cfg)
	require.ErrorIs(t, verify(t, v, p.access(nil)), ErrUnavailable)
	require.NoError(t, v.keys.read(t.Context(), 0))
	good := p.access(nil)
	require.NoError(t, verify(t, v, good))
	require.NoError(t, verify(t, v, good))
	require.Error(t, verify(t, v, "x"))
	require.ErrorIs(t, verify(t, v, p.access(map[string]any{"client_id": "client-3"})), ErrForbidden)
	p.serve(text(500, ""))
	require.NoError(t, v.keys.read(t.Context(), 0))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP adsidecar_users_jwks_fetches_total Fetches of the issuer's keys by result.
# TYPE adsidecar_users_jwks_fetches_total counter
adsidecar_users_jwks_fetches_total{result="error"} 1
adsidecar_users_jwks_fetches_total{result="ok"} 1
# HELP adsidecar_users_jwks_keys Keys of the issuer that are accepted.
# TYPE adsidecar_users_jwks_keys gauge
adsidecar_users_jwks_keys 1
# HELP adsidecar_users_jwks_last_success_timestamp_seconds Unix time at which the issuer's keys were last read; 0: never.
# TYPE adsidecar_users_jwks_last_success_timestamp_seconds gauge
adsidecar_users_jwks_last_success_timestamp_seconds 1.7723664e+09
# HELP adsidecar_users_token_cache_hits_total Tokens that were verified before, with the same keys.
# TYPE adsidecar_users_token_cache_hits_total counter
adsidecar_users_token_cache_hits_total 1
# HELP adsidecar_users_token_verifications_total Tokens by what was found of them.
# TYPE adsidecar_users_token_verifications_total counter
adsidecar_users_token_verifications_total{result="forbidden"} 1
adsidecar_users_token_verifications_total{result="ok"} 2
adsidecar_users_token_verifications_total{result="unauthorized"} 1
adsidecar_users_token_verifications_total{result="unavailable"} 1
`)))
	_, err := New(cfg)
	require.Error(t, err, "the same metrics twice")
}

func TestNewJoinsAllThatIsWrong(t *testing.T) {
	_, err := New(Config{JWKSURL: "ftp://x", CAFile: "/does/not/exist", Uses: []string{"refresh"}, MaxLifetime: -1})
	for _, want := range []string{"issuer: ", "jwks url: ", "client ids: ", `uses: "refresh"`, "max lifetime: ", "ca file: "} {
		require.ErrorContains(t, err, want)
	}
	_, err = New(Config{Issuer: issuer, ClientIDs: []string{""}, JWKSURL: "https://user:hunter2@x/"})
	require.ErrorContains(t, err, "client ids: ")
	require.ErrorContains(t, err, "uses: ")
	require.ErrorContains(t, err, "jwks url: ")
	require.NotContains(t, err.Error(), "hunter2")
	_, err = New(Config{Issuer: issuer, ClientIDs: []string{client}, Uses: []string{"id"}, JWKSURL: "https://x/"})
	require.NoError(t, err)
}
