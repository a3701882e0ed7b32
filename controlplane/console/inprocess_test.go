package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// deadlines is an answer on a connection whose deadlines are moved.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func roundTrip(t *testing.T, handler http.HandlerFunc, w http.ResponseWriter, log *zap.Logger) (*http.Response, error) {
	t.Helper()
	from := httptest.NewRequest(http.MethodPost, "http://ads.example:8443/campaigns/import", nil)
	from.Header.Set("Cookie", "adsidecar_session=x")
	from.Header.Set("X-Forwarded-For", "1.2.3.4")
	from = asking(w, from)
	r, err := http.NewRequestWithContext(from.Context(), http.MethodPost, "http://console.invalid/api/v1/document", strings.NewReader("{}"))
	require.NoError(t, err)
	return inProcess{handler, log}.RoundTrip(r)
}

func TestInProcess(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	at := time.Unix(1, 0)
	response, err := roundTrip(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		control := http.NewResponseController(w)
		err := control.SetReadDeadline(at)
		if err == nil {
			err = control.SetWriteDeadline(at.Add(1))
		}
		if err == nil {
			err = control.EnableFullDuplex()
		}
		w.Header().Set("X-Seen", r.Host+" "+r.RemoteAddr+" "+r.Header.Get("Cookie")+r.Header.Get("X-Forwarded-For")+" "+string(body))
		w.WriteHeader(http.StatusAccepted)
		w.Header().Set("X-Late", "x")
		w.WriteHeader(http.StatusTeapot)
		if err == nil {
			err = control.Flush()
		}
		if err == nil {
			_, _ = io.WriteString(w, "done")
		}
	}, w, zap.NewNop())
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.Equal(t, "ads.example:8443 192.0.2.1:1234 adsidecar_session=x {}", response.Header.Get("X-Seen"))
	require.Empty(t, response.Header.Get("X-Late"), "headers are as they were when they were sent")
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "done", string(body))
	require.Equal(t, at, w.read)
	require.Equal(t, at.Add(1), w.write)
}

func TestInProcessOfNothing(t *testing.T) {
	response, err := roundTrip(t, func(http.ResponseWriter, *http.Request) {}, httptest.NewRecorder(), zap.NewNop())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, response.Body.Close())
}

// TestAPanicOfTheAPI breaks its answer off, and nothing else.
func TestAPanicOfTheAPI(t *testing.T) {
	for name, tc := range map[string]struct {
		with   any
		logged int
	}{"of a fault": {"a fault", 1}, "that is meant": {http.ErrAbortHandler, 0}} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.ErrorLevel)
			response, err := roundTrip(t, func(http.ResponseWriter, *http.Request) { panic(tc.with) }, httptest.NewRecorder(), zap.New(core))
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, response.StatusCode)
			_, err = io.ReadAll(response.Body)
			require.ErrorContains(t, err, "broke its answer off")
			require.NoError(t, response.Body.Close())
			require.Equal(t, tc.logged, logs.Len())

			response, err = roundTrip(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half")
				panic(tc.with)
			}, httptest.NewRecorder(), zap.New(core))
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.Equal(t, "half", string(text))
			require.ErrorContains(t, err, "broke its answer off")
			require.NoError(t, response.Body.Close())
		})
	}
}

// TestAnAnswerThatNobodyReads lets the handler go, and waits until it has gone.
func TestAnAnswerThatNobodyReads(t *testing.T) {
	gone := false
	response, err := roundTrip(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
				gone = true
				return
			}
		}
	}, httptest.NewRecorder(), zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.True(t, gone)
}

// TestNobodyAsks: without who asks for a page the API is not asked at all.
func TestNobodyAsks(t *testing.T) {
	api, err := newClient(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }), zap.NewNop())
	require.NoError(t, err)
	_, err = api.Fleet(context.Background())
	require.ErrorContains(t, err, "asked for nobody")
}
