package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/revision"
)

func TestImportIsAllOrNothing(t *testing.T) {
	h := start(t, nil)
	document := "{\"ads\":[\n" + plain("a", "") + ",\n" + plain("s1", `,"weight":2`) + ",\n\n" + plain("b", `,"weight":0,"foo":1`) + ",\n" + plain("a", "") + "\n]}"
	invalid := decoded[apiv1.Invalid](t, h.must(t, 422, request{method: "POST", path: "/document", body: document}))
	require.Equal(t, "invalid_document", invalid.Code)
	require.Len(t, invalid.Fields, 3)
	for i, want := range []apiv1.FieldError{
		{Field: "weight", Code: "out_of_range", Row: 3, Line: 5, ID: "b"},
		{Field: "foo", Code: "unknown_field", Row: 3, Line: 5, ID: "b"},
		{Field: "id", Code: "duplicate", Row: 4, Line: 6, ID: "a"},
	} {
		invalid.Fields[i].Message = ""
		require.Equal(t, want, invalid.Fields[i])
	}
	require.Zero(t, h.history.State().Rows.Revision(), "nothing of it is stored")

	document = "{\"ads\":[" + plain("a", "") + "," + plain("s1", `,"weight":2`) + "," + plain("s2", `,"enabled":false`) + "]}"
	dry := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document?dry_run=true", body: document}))
	require.True(t, dry.DryRun)
	require.Zero(t, dry.Revision)
	require.Zero(t, h.history.State().Rows.Revision())
	require.Equal(t, []int{1, 1, 1}, []int{dry.Diff.Added, dry.Diff.Changed, dry.Diff.Removed})
	require.Equal(t, 1, dry.Diff.Keys)
	require.Positive(t, dry.Diff.BytesBefore)
	require.NotEqual(t, dry.Diff.BytesBefore, dry.Diff.BytesAfter)
	require.Equal(t, "a", dry.Diff.Ads[0].ID)
	require.Empty(t, dry.Diff.Ads[0].Before)

	done := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document", body: document, who: bob, header: map[string]string{"X-Comment": "spring"}}))
	require.Equal(t, uint64(1), done.Revision)
	require.Equal(t, dry.Diff, done.Diff)
	page := get[apiv1.Page[apiv1.Revision]](t, h, "/revisions")
	require.Equal(t, apiv1.Revision{Number: 1, At: monday, Who: "bob", Comment: "spring", Kind: "import", Changes: 3, FirstIDs: []string{"a", "s1", "s2"}, Added: 3}, page.Items[0])
}

func TestAnExportThatComesBackChangesNothing(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("o1", "")})
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/s2", body: `{"enabled":false}`})
	exported := h.must(t, 200, request{method: "GET", path: "/document"})
	var document struct{ Ads []map[string]any }
	require.NoError(t, json.Unmarshal(exported.body, &document))
	require.Len(t, document.Ads, 7)
	back := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document", body: string(exported.body)}))
	require.Zero(t, back.Revision)
	require.Equal(t, uint64(2), h.history.State().Rows.Revision())
	require.Zero(t, back.Diff.Keys)

	ours := h.must(t, 200, request{method: "GET", path: "/document?origin=operator"})
	require.NoError(t, json.Unmarshal(ours.body, &document))
	require.Len(t, document.Ads, 1)
}

// What somebody else changes between an import's plan and its writing is not lost without a word: the import is planned anew, also for what it
// left alone because it was the same, and its answer is of what was made.
func TestAnImportThatMeetsAnEdit(t *testing.T) {
	for name, sent := range map[string]string{
		"of what it changes":     plain("s2", `,"weight":7`),
		"of what it left alone":  `{"id":"s2","video_url":"https://v.example/s2","country":"us","lang":"eng","start_hour":9,"end_hour":17,"labels":["Summer"]}`,
		"of something else":      plain("other", ""),
		"of what it wants, too":  plain("s2", `,"name":"bob's"`),
		"that paused it as well": plain("s2", `,"enabled":false`),
	} {
		t.Run(name, func(t *testing.T) {
			bobs := plain("s2", `,"name":"bob's"`)
			r := &racing{edit: revision.RowEdit{ID: "s2", After: &revision.Row{Campaign: []byte(bobs)}}}
			h := start(t, func(c *Config) {
				r.History = c.History
				c.History = r
			})
			done := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + "," + sent + `]}`}))
			require.Equal(t, uint64(2), done.Revision)
			require.Equal(t, uint64(1), done.Base, "the diff is against bob's")
			made := get[apiv1.RevisionChanges](t, h, "/revisions/2")
			want := map[string]string{"a": ""}
			switch {
			case strings.Contains(sent, `"other"`):
				want["other"] = ""
			case sent != bobs:
				want["s2"] = bobs
			}
			was := map[string]string{}
			for _, c := range made.Items {
				was[c.ID] = string(c.Before)
			}
			require.Equal(t, want, was)
			present := get[apiv1.Campaign](t, h, "/campaigns/s2")
			if want["s2"] != "" {
				require.JSONEq(t, sent, string(present.Campaign))
			}
			for _, ad := range done.Diff.Ads { // of what was applied
				require.Equal(t, want[ad.ID], string(ad.Before), ad.ID)
			}
			require.Len(t, done.Diff.Ads, len(want))
			before := strings.Replace(sourceDocument, `{"id":"s2","video_url":"https://v.example/s2","country":"us","lang":"eng","start_hour":9,"end_hour":17,"labels":["Summer"]}`, bobs, 1)
			require.Len(t, compiled(t, before).Bytes, done.Diff.BytesBefore)
		})
	}
}

// Somebody else has just made the very change: nothing is left to do, which the answer says.
func TestAnImportThatSomebodyElseHasMade(t *testing.T) {
	r := &racing{edit: revision.RowEdit{ID: "s2", After: &revision.Row{Campaign: []byte(plain("s2", ""))}}}
	h := start(t, func(c *Config) {
		r.History = c.History
		c.History = r
	})
	done := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[` + plain("s2", "") + `]}`}))
	require.Zero(t, done.Revision)
	require.Zero(t, done.Diff.Changed)
	require.Empty(t, done.Diff.Ads)
	require.Equal(t, done.Diff.BytesBefore, done.Diff.BytesAfter)
	require.Equal(t, uint64(1), h.history.State().Rows.Revision())
}

// restless is a history in which somebody else always writes first.
type restless struct {
	History

	tries int
}

func (r *restless) Apply(ctx context.Context, c revision.ChangeSet) (revision.Revision, error) {
	r.tries++
	row := &revision.Row{Campaign: []byte(plain("b", fmt.Sprintf(`,"weight":%d`, r.tries)))}
	if _, err := r.History.Apply(ctx, revision.ChangeSet{Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "b", After: row}}}); err != nil {
		return revision.Revision{}, err
	}
	return r.History.Apply(ctx, c)
}

func TestAnImportThatIsAlwaysTooLate(t *testing.T) {
	r := &restless{}
	h := start(t, func(c *Config) {
		r.History = c.History
		c.History = r
	})
	document := `{"ads":[` + plain("a", "") + "," + plain("b", `,"priority":1`) + `]}`
	conflict := decoded[apiv1.Conflict](t, h.must(t, 412, request{method: "POST", path: "/document", body: document}))
	require.Equal(t, []string{"b"}, conflict.IDs)
	require.Equal(t, "revision_conflict", conflict.Code)
	require.Equal(t, "b", conflict.Present.ID)
	require.Equal(t, []apiv1.FieldChange{
		{Field: "priority", Before: []byte("null"), After: []byte("1")}, {Field: "weight", Before: []byte("5"), After: []byte("null")},
	}, conflict.Changed)
	require.Equal(t, saveTries, r.tries)
	require.Equal(t, uint64(saveTries), h.history.State().Rows.Revision(), "all are bob's")
}

func TestDocumentsThatAreNone(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		body string
		line int
	}{
		"nothing":                {"", 1},
		"an array":               {"[]", 1},
		"another member":         {`{"foo":1,"ads":[]}`, 1},
		"a member behind":        {`{"ads":[],"foo":1}`, 1},
		"no array":               {`{"ads":1}`, 1},
		"one that is cut off":    {"{\"ads\":[\n" + plain("a", "") + ",\n", 3},
		"a comma, then nothing":  {"{\"ads\":[\n" + plain("a", "") + ",\n]}", 2},
		"a comma in a row":       {"{\"ads\":[\n" + plain("a", ",\n") + "\n]}", 3},
		"one with a bad comma":   {"{\"ads\":[\n" + plain("a", "") + "\n,,]}", 3},
		"something behind it":    {"{\"ads\":[]}\n\nx", 3},
		"a value that is broken": {"{\"ads\":[\n{\"id\":tru}]}", 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.send(t, request{method: "POST", path: "/document", body: c.body})
			require.Equal(t, 422, got.status, "%s", got.body)
			invalid := decoded[apiv1.Invalid](t, got)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, c.line, invalid.Fields[0].Line, "%s", got.body)
		})
	}
	require.Equal(t, 400, h.send(t, request{method: "POST", path: "/document?dry_run=maybe", body: `{"ads":[]}`}).status)
	var bad []string
	for range 1100 {
		bad = append(bad, "{}")
	}
	invalid := decoded[apiv1.Invalid](t, h.must(t, 422, request{method: "POST", path: "/document", body: `{"ads":[` + strings.Join(bad, ",") + `]}`}))
	require.Len(t, invalid.Fields, maxFindings)
	require.Equal(t, 1100*6-maxFindings, invalid.More)
}

// A faulty row is named by its id as well, where that can be read.
func TestFaultyRowsAreNamed(t *testing.T) {
	for row, id := range map[string]string{
		`{"id":"a"}`:                        "a",
		`{"id":"\u0061","days":{"id":"b"}}`: "a",
		`{"id":7}`:                          "",
		`{"ID":"a"}`:                        "",
		`"a"`:                               "",
		`null`:                              "",
		`{"id":"` + strings.Repeat("a", 129) + `"}`:                                   "",
		plain("long", `,"name":"`+strings.Repeat("x", revision.MaxCampaignBytes)+`"`): "long",
	} {
		im, err := readRows(strings.NewReader(`{"ads":[` + plain("v", "") + "," + row + "," + plain("w", "") + `]}`))
		require.NoError(t, err)
		require.NotEmpty(t, im.findings, row)
		require.Empty(t, im.campaigns, "nobody needs them")
		for _, f := range im.findings {
			require.Equal(t, id, f.ID, row)
		}
	}
}

func TestImportsHaveLimits(t *testing.T) {
	document := `{"ads":[` + plain("a", "") + `]}`
	_, err := readRows(http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader(document)), 50))
	var p *problem
	require.ErrorAs(t, documentProblem(err), &p)
	require.Equal(t, http.StatusRequestEntityTooLarge, p.status)

	h := start(t, nil)
	handler, err := Handler(Config{History: h.history, Publisher: h.publisher, Fleet: h.fleet})
	require.NoError(t, err)
	guard, err := access.New(access.Config{Address: "127.0.0.1:1", LocalUser: func(netip.AddrPort, netip.AddrPort) string { return "" }})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/document", iotest.ErrReader(errors.New("it is read")))
	r.RemoteAddr, r.ContentLength = "127.0.0.1:1", maxImport+1
	w := httptest.NewRecorder()
	guard.Handler(http.NewServeMux(), handler).ServeHTTP(w, r)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, "it says so itself: nothing of it is read")

	_, err = readRows(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(document))))
	require.ErrorAs(t, documentProblem(err), &p)
	require.Equal(t, http.StatusBadRequest, p.status)
}

// maxHeap bounds what there is in memory while 100,000 campaigns are imported, garbage included: twice what was measured.
const maxHeap = 600 << 20

// peakOf calls work and returns the most that was in the heap meanwhile, above what was there before.
func peakOf(work func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	end := make(chan struct{})
	peak := uint64(0)
	var sampling sync.WaitGroup
	sampling.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	})
	work()
	close(end)
	sampling.Wait()
	return peak - min(peak, before.HeapAlloc)
}

// The whole path of 100,000 campaigns, with its limit of memory.
func TestImportOf100000Campaigns(t *testing.T) {
	h := start(t, nil)
	var b strings.Builder
	b.WriteString(`{"ads":[`)
	for n := range 100_000 {
		if n > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"id":"c%06d","video_url":"https://video.example/%d.mp4","country":"%c%c","lang":"eng","start_hour":%d,"end_hour":%d}`,
			n, n, 'a'+n%26, 'a'+n/26%26, n%24, (n+8)%24)
	}
	b.WriteString("]}")
	began := time.Now()
	var got reply
	peak := peakOf(func() { got = h.send(t, request{method: "POST", path: "/document", body: b.String()}) })
	require.Equal(t, 200, got.status)
	took := time.Since(began)
	imported := decoded[apiv1.Imported](t, got)
	require.Equal(t, 100_000, imported.Diff.Added)
	require.Len(t, imported.Diff.Ads, maxShown)
	require.Less(t, took, 5*time.Minute, "it comes to an end; under the race detector, on a busy machine")
	require.Less(t, peak, uint64(maxHeap))
	t.Logf("%d bytes imported in %v with at most %d MiB", b.Len(), took, peak>>20)
	began = time.Now()
	require.Equal(t, 100_006, get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns").Total)
	t.Logf("first list in %v", time.Since(began))
	began = time.Now()
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/c000001", body: `{"weight":2}`})
	t.Logf("one edit in %v", time.Since(began))
	began = time.Now()
	require.Equal(t, 100_006, get[apiv1.Page[apiv1.Campaign]](t, h, "/campaigns?q=c0").Total+6)
	t.Logf("list after it in %v", time.Since(began))
}
