package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leaver is a client that goes away when the first bytes arrive.
type leaver struct {
	http.ResponseWriter

	leave context.CancelFunc
	bytes int
}

func (l *leaver) Write(b []byte) (int, error) {
	l.leave()
	l.bytes += len(b)
	return len(b), nil
}

// The first bytes of an export leave before the last campaigns are read: who goes away when they come keeps them from being read.
func TestAnExportIsStreamed(t *testing.T) {
	h := start(t, nil)
	var ads []string
	for n := range 20 * exportPart {
		ads = append(ads, plain(fmt.Sprintf("c%05d", n), ""))
	}
	document := `{"ads":[` + strings.Join(ads, ",") + `]}`
	h.publisher.setSource(t, document)
	s := &server{Config: Config{History: h.history, Publisher: h.publisher, Now: func() time.Time { return monday }}}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	w := &leaver{ResponseWriter: httptest.NewRecorder(), leave: leave}
	require.NoError(t, s.exportDocument(&call{Request: httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody), w: w, s: s}))
	require.Positive(t, w.bytes)
	require.Less(t, w.bytes, len(document)/4)

	got := h.must(t, 200, request{method: "GET", path: "/document"})
	require.Greater(t, len(got.body), len(document)/2, "who stays gets all of it")
}
