package access

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// FuzzNoSecretIsLogged: whatever somebody sends as a secret, in whichever place for one, is in no line of the log, and in no answer.
func FuzzNoSecretIsLogged(f *testing.F) {
	for _, secret := range []string{"hunter2", "correct horse", "\x00", "é\u2028", "\xff", `"}`, "%zz", "a=b&token=c", strings.Repeat("x", 300), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA"} {
		f.Add(secret)
	}
	clock := newClock()
	pool := startPool(f, clock, "us-east-1_Operators")
	x := start(f, pool.configure(f, clock))
	x.clock = clock
	h := x.guard.Handler(public(), http.HandlerFunc(echo))
	form := func(values url.Values) *http.Request {
		r := httptest.NewRequest("POST", "http://localhost"+SessionPath, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	body := func(text string) *http.Request {
		r := httptest.NewRequest("POST", "http://localhost"+SessionPath, strings.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	inHeader := func(name, value string) *http.Request {
		r := httptest.NewRequest("POST", "http://localhost/x", http.NoBody)
		r.Header[name] = []string{value}
		return r
	}
	f.Fuzz(func(t *testing.T, secret string) {
		const mark = "0mark0"
		secret = mark + secret + mark // nothing else has it, and a part of it is found as well
		quoted, err := json.Marshal(secret)
		require.NoError(t, err)
		for place, r := range map[string]*http.Request{
			"the password":             form(url.Values{"username": {"operators"}, "password": {secret}}),
			"the name":                 form(url.Values{"username": {secret}, "password": {"x"}}),
			"the token":                form(url.Values{"token": {secret}}),
			"a broken form":            form(url.Values{"token": {secret}, "username": {secret}, "password": {secret}}),
			"JSON's password":          body(`{"username":"operators","password":` + string(quoted) + `}`),
			"JSON's name":              body(`{"username":` + string(quoted) + `,"password":"x"}`),
			"JSON's token":             body(`{"token":` + string(quoted) + `}`),
			"a member that is unknown": body(`{` + string(quoted) + `:1}`),
			"no JSON":                  body(secret),
			"a bearer token":           inHeader("Authorization", "Bearer "+secret),
			"another scheme":           inHeader("Authorization", "Basic "+secret),
			"a scheme":                 inHeader("Authorization", secret),
			"the cookie":               inHeader("Cookie", x.guard.cookie+"="+secret),
			"another cookie":           inHeader("Cookie", secret),
			"the media type":           inHeader("Content-Type", secret),
		} {
			x.advance(16 * time.Minute) // no limit here
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.GreaterOrEqual(t, w.Code, 300, place)
			require.NotContains(t, w.Body.String(), mark, place)
			for name, values := range w.Header() {
				require.NotContains(t, strings.Join(values, ","), mark, "%s, answered in %s", place, name)
			}
		}
		encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"})
		entries := x.logs.TakeAll()
		require.NotEmpty(t, entries)
		for _, entry := range entries {
			line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
			require.NoError(t, err)
			require.NotContains(t, line.String(), mark)
		}
	})
}
