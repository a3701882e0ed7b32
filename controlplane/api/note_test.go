package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

// TestWhatIsKeptBackIsSaid: whoever changes something under a pin or a guard is told that it is not published.
func TestWhatIsKeptBackIsSaid(t *testing.T) {
	const pinned, held = "It is not published while a version is pinned: resume ends that.", "A guard holds what was newest, and may hold this, too."
	for name, tc := range map[string]struct {
		pin  *apiv1.Pin
		held *apiv1.Held
		want string
	}{
		"a pin":             {pin: &apiv1.Pin{Version: "v1"}, want: pinned},
		"a guard":           {held: &apiv1.Held{Version: "v2"}, want: held},
		"a pin and a guard": {pin: &apiv1.Pin{Version: "v1"}, held: &apiv1.Held{Version: "v2"}, want: pinned},
		"nothing":           {},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.publisher.locked(func() { h.publisher.pin, h.publisher.held = tc.pin, tc.held })
			for _, change := range []request{
				{method: "POST", path: "/campaigns", body: plain("a", "")},
				{method: "PUT", path: "/campaigns/a", body: plain("a", `,"weight":2`)},
				{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":false}`},
				{method: "PATCH", path: "/campaigns/s1", body: `{"enabled":true}`},
				{method: "DELETE", path: "/campaigns/a"},
				{method: "POST", path: "/revisions/5/revert"},
				{method: "POST", path: "/document", body: `{"ads":[` + plain("b", "") + `]}`},
			} {
				made := h.do(t, change)
				require.Less(t, made.status, 300, "%s", made.body)
				note := noteOf(t, made)
				require.True(t, strings.HasSuffix(note, tc.want), "%s %s: %s", change.method, change.path, note)
				require.Equal(t, tc.want == pinned, strings.Contains(note, pinned), note)
				require.Equal(t, tc.want == held, strings.Contains(note, held), note)
			}
			require.Equal(t, "Nothing changed.", noteOf(t, h.must(t, 200, request{method: "PUT", path: "/campaigns/b", body: plain("b", "")})))
			require.Empty(t, noteOf(t, h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[` + plain("b", "") + `]}`})))
			require.Empty(t, noteOf(t, h.must(t, 200, request{method: "POST", path: "/document?dry_run=true", body: `{"ads":[` + plain("c", "") + `]}`})))
		})
	}
}

func noteOf(t *testing.T, got reply) string {
	t.Helper()
	if strings.Contains(string(got.body), `"diff"`) {
		return decoded[apiv1.Imported](t, got).Note
	}
	return decoded[apiv1.Saved](t, got).Note
}

// TestAnImportSaysThatWeightsAreMadeSmaller, before it is made and after it: 655 ads of weight 100 and one of 37 have one turn more than a
// cycle may.
func TestAnImportSaysThatWeightsAreMadeSmaller(t *testing.T) {
	const cutOnce = "The weights of a cycle ask for too many turns and are made smaller: ca/eng has 64881 turns in place of 65537."
	rows := func(country string, least int) string {
		all := make([]string, 656)
		for i := range all {
			weight := 100
			if i == 0 {
				weight = least
			}
			id := fmt.Sprintf("%s-%03d", country, i)
			all[i] = strings.Replace(plain(id, fmt.Sprintf(`,"weight":%d`, weight)), `"us"`, `"`+country+`"`, 1)
		}
		return strings.Join(all, ",")
	}
	h := start(t, nil)
	send := func(path, rows string) string {
		return noteOf(t, h.must(t, 200, request{method: "POST", path: path, body: `{"ads":[` + rows + `]}`}))
	}
	require.Empty(t, send("/document?dry_run=true", rows("ca", 50)))
	require.Equal(t, cutOnce, send("/document?dry_run=true", rows("ca", 37)))
	require.Equal(t, cutOnce, send("/document", rows("ca", 37)))
	require.Equal(t, "The weights of 2 cycles ask for too many turns and are made smaller: mx/eng has 64943 turns in place of 65599.",
		send("/document?dry_run=true", rows("mx", 99)))
	require.Empty(t, send("/document", rows("ca", 50)))
}
