package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/web"
)

// patience is how long a test waits for what must come: a machine that is busy with other things is no failure.
const patience = time.Minute

// TestAwaitPublished: a command claims that a version is published when it is, and not before.
func TestAwaitPublished(t *testing.T) {
	away := apiv1.Summary{Version: "v3", Pin: &apiv1.Pin{Version: "v1", Who: "kim"}}
	here := apiv1.Summary{Version: "v1", Pin: away.Pin}
	for name, tc := range map[string]struct {
		answers  []*apiv1.Summary // the last again and again; nil: none comes
		patience time.Duration
		says     string
	}{
		"it is on its way": {[]*apiv1.Summary{&away, &here}, patience, "It is published.\n"},
		"it does not come": {
			[]*apiv1.Summary{&away},
			2 * time.Second, // in which an answer comes on a busy machine, too
			"It is not published yet: version v3 is.\nPinned: version v1, by kim; it is not published yet: version v3 is. \"adsidecar resume\" ends that.\n",
		},
		"no answer comes": {[]*apiv1.Summary{nil}, 300 * time.Millisecond, "Whether it is published is not known: the control plane is slow to say.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := tc.answers[min(int(asked.Add(1)), len(tc.answers))-1]
				if answer == nil {
					<-r.Context().Done()
					return
				}
				_ = web.Write(w, http.StatusOK, answer) // the test sees what came of it
			}))
			t.Cleanup(server.Close)
			r := remote{timeout: time.Minute, output: outputTable}
			cmd := r.command(&cobra.Command{Use: "x"}, nil)
			var out bytes.Buffer
			cmd.SetOut(&out)
			r.server = server.URL
			s, err := r.session(cmd)
			require.NoError(t, err)
			require.Equal(t, publishedWithin, s.patience)
			s.patience = tc.patience
			require.NoError(t, s.awaitPublished(t.Context(), "v1"))
			require.Equal(t, tc.says, out.String())
		})
	}
}
