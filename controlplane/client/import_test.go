package client

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

// TestImportTellsHowFarItIs: line by line, and ends as an import without that.
func TestImportTellsHowFarItIs(t *testing.T) {
	const progress = `{"progress":{"phase":"receive","done":7,"total":0}}` + "\n" + `{"progress":{"phase":"check","done":1,"total":2}}` + "\n"
	heard := []apiv1.ImportProgress{{Phase: apiv1.Receiving, Done: 7}, {Phase: apiv1.Checking, Done: 1, Total: 2}}
	for name, tc := range map[string]struct {
		body  string
		heard []apiv1.ImportProgress
		json  string
		err   string
	}{
		"it is done":            {progress + `{"result":{"dry_run":false,"revision":8, "diff":{}}}` + "\n", heard, `{"dry_run":false,"revision":8, "diff":{}}`, ""},
		"at once":               {`{"result":{"dry_run":true}}` + "\n", nil, `{"dry_run":true}`, ""},
		"it is refused":         {progress + `{"error":{"status":422,"body":{"code":"invalid_document","message":"No ` + secret + `."}}}` + "\n", heard, "", "No [token]. (invalid_document, status 422)"},
		"an error without body": {`{"error":{"status":503}}` + "\n", nil, "", "status 503 Service Unavailable"},
		"it is broken off":      {progress, heard, "", "it ends before it says what was done"},
		"half a line":           {progress + `{"result":{}}`, heard, "", "it ends before it says what was done"},
		"no JSON":               {"<html>\n", nil, "", "the answer is not one of this API"},
		"a result of no kind":   {`{"result":7}` + "\n", nil, "", "the answer is not one of this API"},
		"what is not known yet": {`{"later":1}` + "\n" + `{"result":{}}` + "\n", nil, `{}`, ""},
		"a line without end":    {strings.Repeat("x", 5000), nil, "", "the answer is larger than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "application/x-ndjson" {
					w.WriteHeader(http.StatusNotAcceptable)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
				_, _ = io.WriteString(w, tc.body)
			})
			c.limit = 4096
			var got []apiv1.ImportProgress
			a, err := c.Import(t.Context(), strings.NewReader("{}"), ImportOptions{Progress: func(p apiv1.ImportProgress) { got = append(got, p) }})
			require.Equal(t, tc.heard, got)
			require.Equal(t, tc.json, string(a.JSON))
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), secret)
		})
	}
	t.Run("a control plane that tells nothing", func(t *testing.T) {
		c, _ := newClient(t, answer(200, `{"revision":3}`))
		a, err := c.Import(t.Context(), strings.NewReader("{}"), ImportOptions{Progress: func(apiv1.ImportProgress) { t.Error("it told") }})
		require.NoError(t, err)
		require.EqualValues(t, 3, a.Value.Revision)
	})
}
