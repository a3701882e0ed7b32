package main

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

type toldCase struct {
	args, stdin string
	stored      bool // it changes campaigns
	replies     map[string]reply
}

// toldCases has every command that shows or changes campaigns.
func toldCases() map[string]toldCase {
	const document = `{"ads":[{"id":"a"}]}`
	get := reply{200, apiv1.Campaign{ID: "a", ETag: `"1-a"`, Revision: 1, Campaign: []byte(`{"id":"a"}`)}}
	saved, unchanged := reply{200, apiv1.Saved{Revision: 2}}, reply{200, apiv1.Saved{Revision: 1}}
	dry := map[string]reply{"POST /document?dry_run=true": {200, apiv1.Imported{DryRun: true}}}
	of := func(request string, body any) map[string]reply { return map[string]reply{request: {200, body}} }
	change := func(method string, r reply) map[string]reply {
		return map[string]reply{"GET /campaigns/a": get, method + " /campaigns/a": r}
	}
	return map[string]toldCase{
		"list":                       {args: "campaigns list", replies: of("GET /campaigns?limit=500", page[apiv1.Campaign]())},
		"get":                        {args: "campaigns get a", replies: map[string]reply{"GET /campaigns/a": get}},
		"export":                     {args: "campaigns export", replies: of("GET /document", document)},
		"apply of one":               {args: "campaigns apply -f -", stdin: `{"id":"a"}`, stored: true, replies: change("PUT", saved)},
		"apply of the same":          {args: "campaigns apply -f -", stdin: `{"id":"a"}`, replies: change("PUT", unchanged)},
		"apply of several":           {args: "campaigns apply -f -", stdin: document, stored: true, replies: of("POST /document", apiv1.Imported{Revision: 2})},
		"apply of all that is there": {args: "campaigns apply -f -", stdin: document, replies: of("POST /document", apiv1.Imported{})},
		"dry run":                    {args: "campaigns apply -f - --dry-run", stdin: document, replies: dry},
		"delete":                     {args: "campaigns delete a", stored: true, replies: change("DELETE", saved)},
		"pause":                      {args: "campaigns pause a", stored: true, replies: change("PATCH", saved)},
		"pause of one of two": {args: "campaigns pause a b", stored: true, replies: map[string]reply{
			"GET /campaigns/a": get, "PATCH /campaigns/a": saved, "GET /campaigns/b": get, "PATCH /campaigns/b": unchanged,
		}},
		"unpause":        {args: "campaigns unpause a", stored: true, replies: change("PATCH", saved)},
		"revert":         {args: "revert 1", stored: true, replies: map[string]reply{"POST /revisions/1/revert": saved}},
		"diff of a file": {args: "diff -f -", stdin: document, replies: dry},
		"diff":           {args: "diff v1 v2", replies: of("GET /versions/v1/diff/v2", apiv1.Diff{})},
		"history":        {args: "history", replies: of("GET /revisions?limit=20", page[apiv1.Revision]())},
		"a revision":     {args: "history 1", replies: of("GET /revisions/1?limit=500", apiv1.RevisionChanges{})},
		"two revisions":  {args: "history 1 2", replies: of("GET /revisions/1/diff/2?limit=500", apiv1.RevisionsDiff{})},
		"actions":        {args: "history --actions", replies: of("GET /actions?limit=20", page[apiv1.Action]())},
		"versions":       {args: "versions", replies: of("GET /versions", page[apiv1.Version]())},
		"a version":      {args: "versions v1", replies: of("GET /versions/v1", apiv1.Version{})},
		"poll":           {args: "poll", replies: map[string]reply{"POST /source/poll": {202, nil}}},
	}
}

// TestWhatIsTold: every command that shows or changes campaigns says on stderr that a version is pinned or held, and prints and ends as it
// does otherwise.
func TestWhatIsTold(t *testing.T) {
	pin := &apiv1.Pin{Version: "v3", Who: "kim", Comment: "why"}
	held := &apiv1.Held{Version: "v4", Reason: "max_removed_share"}
	refused := &apiv1.Held{Version: "v4", Reason: "max_removed_share", Refused: true, RefusedBy: "kim"}
	const (
		pinText     = "Pinned: version v3, by kim, \"why\"; it stays published. \"adsidecar resume\" ends that.\n"
		heldText    = "Held: version v4 waits for a decision: max_removed_share. \"adsidecar held\" shows it.\n"
		refusedText = "Refused: version v4 is not published: max_removed_share, by kim. \"adsidecar held\" shows it.\n"
		storedPin   = "The change is stored, but not published while a version is pinned.\n"
		storedHeld  = "The change is stored, but a guard may keep it from being published.\n"
	)
	ways := []struct {
		summary      apiv1.Summary
		stored, text string
	}{
		{apiv1.Summary{Version: "v3", Pin: pin}, storedPin, pinText},
		{apiv1.Summary{Version: "v3", Held: held}, storedHeld, heldText},
		{apiv1.Summary{Version: "v3", Held: refused}, storedHeld, refusedText},
		{apiv1.Summary{Version: "v3", Pin: pin, Held: held}, storedPin, pinText + heldText},
	}
	for name, tc := range toldCases() {
		for _, output := range []string{"table", "json"} {
			args := strings.Fields(tc.args)
			if name != "export" {
				args = append(args, "-o", output)
			}
			t.Run(name+" as "+output, func(t *testing.T) {
				under := func(summary reply) outcome {
					replies := maps.Clone(tc.replies)
					replies["GET /summary"] = summary
					f := newFakeAPI(t, replies)
					o := runCommand(t, tc.stdin, append(args, "--server", f.URL)...)
					require.Equal(t, 1, strings.Count(strings.Join(f.seen(), "\n"), "GET /summary"), "one question, whatever it does")
					return o
				}
				free := under(reply{200, apiv1.Summary{Version: "v3"}})
				require.Zero(t, free.code)
				require.Empty(t, free.stderr)
				for _, way := range ways {
					want := way.text
					if tc.stored {
						want = way.stored + way.text
					}
					require.Equal(t, outcome{0, free.stdout, want}, under(reply{200, way.summary}))
				}
				blind := under(refusal(403, "forbidden", "Not for you."))
				require.Equal(t, outcome{0, free.stdout, blind.stderr}, blind, "nothing failed that it is for")
				require.Equal(t, tc.stored, strings.HasPrefix(blind.stderr, "Whether the change is published is not known: "), blind.stderr)
				require.Equal(t, tc.stored, blind.stderr != "", blind.stderr)
			})
		}
	}
}

// TestWhatIsNotToldAgain: what a command says itself, or what is about to be otherwise.
func TestWhatIsNotToldAgain(t *testing.T) {
	pin := apiv1.Pin{Version: "v1", Who: "kim"}
	for name, tc := range map[string]struct {
		args    string
		replies map[string]reply
	}{
		"resume":    {"resume", map[string]reply{"DELETE /pin": {204, nil}}},
		"rollback":  {"rollback v1", map[string]reply{"POST /versions/v1/rollback": {200, pin}}},
		"held":      {"held", map[string]reply{"GET /held": {200, apiv1.Held{Version: "v4"}}}},
		"refuse":    {"held refuse v4", map[string]reply{"POST /held/v4/refuse": {204, nil}}},
		"confirm":   {"held confirm v1", map[string]reply{"POST /held/v1/confirm": {204, nil}}},
		"fleet":     {"fleet", map[string]reply{"GET /fleet": {200, apiv1.Fleet{}}}},
		"a refusal": {"campaigns get a", map[string]reply{"GET /campaigns/a": refusal(404, "campaign_not_found", "There is no such campaign.")}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.replies["GET /summary"] = reply{200, apiv1.Summary{Version: "v1", Pin: &pin}}
			f := newFakeAPI(t, tc.replies)
			o := runCommand(t, "", append(strings.Fields(tc.args), "--server", f.URL)...)
			require.NotContains(t, o.stderr, "Pinned")
			require.Equal(t, name == "a refusal", o.code != 0, o.stderr)
		})
	}
}

// TestASilentServerIsNotWaitedFor for long by a command that is done, and not at all by one that is stopped.
func TestASilentServerIsNotWaitedFor(t *testing.T) {
	var asked atomic.Int32
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	c, err := client.New(client.Config{Server: silent.URL, Timeout: 20 * time.Second})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	var stderr strings.Builder
	s := &session{Client: c, err: &stderr, stored: true, patience: 200 * time.Millisecond}
	began := time.Now()
	s.tell(t.Context())
	require.Less(t, time.Since(began), 10*time.Second)
	require.EqualValues(t, 1, asked.Load())
	require.Contains(t, stderr.String(), "Whether the change is published is not known: ")

	ctx, stop := context.WithCancel(t.Context())
	stop()
	stderr.Reset()
	s.tell(ctx)
	require.Empty(t, stderr.String())
}
