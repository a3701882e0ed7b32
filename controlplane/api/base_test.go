package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
)

// An import with the base of a dry run overwrites nothing that its author has not seen there.
func TestAnImportOfWhatItsAuthorHasSeen(t *testing.T) {
	bobs := plain("s2", `,"name":"bob's"`)
	put := func(id, body string) request {
		return request{method: "PUT", path: "/campaigns/" + id, body: body, who: bob}
	}
	for name, c := range map[string]struct {
		meanwhile []request
		refused   []string
	}{
		"nobody has changed anything": {},
		"something else was changed":  {meanwhile: []request{put("s3", plain("s3", ""))}},
		"one of them was changed":     {meanwhile: []request{put("s2", bobs)}, refused: []string{"s2"}},
		"one was changed and changed back": {
			meanwhile: []request{put("s2", bobs), {method: "DELETE", path: "/campaigns/s2"}},
		},
		"one is by now as it is sent": {meanwhile: []request{put("s2", plain("s2", `,"weight":7`))}},
		"one was deleted":             {meanwhile: []request{{method: "DELETE", path: "/campaigns/o1"}}, refused: []string{"o1"}},
		"two were":                    {meanwhile: []request{put("s2", bobs), put("o1", plain("o1", `,"weight":9`))}, refused: []string{"o1", "s2"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, nil)
			h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("o1", "")})
			document := `{"ads":[` + plain("o1", `,"priority":1`) + "," + plain("s2", `,"weight":7`) + `]}`
			q := request{method: "POST", path: "/document?dry_run=true", body: document}
			dry := decoded[apiv1.Imported](t, h.must(t, 200, q))
			require.Equal(t, uint64(1), dry.Base)
			for _, m := range c.meanwhile {
				h.must(t, 200, m)
			}
			revisions := h.history.State().Rows.Revision()
			q.header = map[string]string{"If-Match": `"1"`}
			if c.refused == nil {
				h.must(t, 200, q)
				q.path = "/document"
				done := decoded[apiv1.Imported](t, h.must(t, 200, q))
				require.Equal(t, revisions+1, done.Revision)
				require.Equal(t, revisions, done.Base)
				return
			}
			require.Equal(t, "revision_conflict", codeOf(t, h.must(t, 412, q)), "a dry run says so, too")
			q.path = "/document"
			conflict := decoded[apiv1.Conflict](t, h.must(t, 412, q))
			require.ElementsMatch(t, c.refused, conflict.IDs)
			require.NotEmpty(t, conflict.Changed)
			if first := conflict.IDs[0]; len(c.meanwhile) == 1 && first == "s2" {
				require.JSONEq(t, bobs, string(conflict.Present.Campaign))
				require.Contains(t, conflict.Changed, apiv1.FieldChange{Field: "weight", Before: []byte("null"), After: []byte("7")})
			}
			require.Equal(t, revisions, h.history.State().Rows.Revision(), "nothing was changed")
			q.header = nil
			h.must(t, 200, q)
		})
	}
}

// Somebody who changes one of the campaigns between the check of the base and the writing is in the way, too.
func TestABaseThatMeetsAnEdit(t *testing.T) {
	r := &racing{edit: revision.RowEdit{ID: "s2", After: &revision.Row{Campaign: []byte(plain("s2", `,"name":"bob's"`))}}}
	h := start(t, func(c *Config) {
		r.History = c.History
		c.History = r
	})
	conflict := decoded[apiv1.Conflict](t, h.must(t, 412, request{
		method: "POST", path: "/document", body: `{"ads":[` + plain("s2", `,"weight":7`) + `]}`, header: map[string]string{"If-Match": `"0"`},
	}))
	require.Equal(t, []string{"s2"}, conflict.IDs)
	require.Equal(t, uint64(1), h.history.State().Rows.Revision())
}

func TestBasesThatAreNone(t *testing.T) {
	h := start(t, nil)
	q := request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`}
	for _, base := range []string{"7", `"x"`, `"-1"`, `W/"1"`, "*", `""`, `"1", "2"`, `"`} {
		q.header = map[string]string{"If-Match": base}
		require.Equal(t, "invalid_parameter", codeOf(t, h.must(t, 400, q)), base)
	}
	_, err := readBase(http.Header{"If-Match": {`"1"`, `"1"`}})
	require.Error(t, err, "a header that is there twice")
	q.header = map[string]string{"If-Match": `"9"`}
	require.Contains(t, string(h.must(t, 412, q).body), "The revision that this was made from is not there")

	other, err := revision.New(revision.Config{Store: h.store})
	require.NoError(t, err)
	_, err = other.Apply(t.Context(), revision.ChangeSet{
		Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "c", After: &revision.Row{Campaign: []byte(plain("c", ""))}}},
	})
	require.NoError(t, err)
	q.header = map[string]string{"If-Match": `"1"`}
	h.must(t, 200, q) // of another replica, which this one follows then
}

// FuzzBase: what is accepted is one revision in quotes.
func FuzzBase(f *testing.F) {
	for _, h := range []string{`"0"`, `"42"`, `42`, `""`, `"+1"`, `"1_0"`, ` "1"	`, `"99999999999999999999"`, `"1","2"`} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		base, err := readBase(http.Header{"If-Match": {header}})
		if err != nil {
			require.Nil(t, base)
			return
		}
		require.Regexp(t, `^[ \t]*"[0-9]+"[ \t]*$`, header)
	})
}

// broken is a history in which somebody else is faster, after which the candidate's index cannot be read.
type broken struct {
	racing

	h *harness
}

func (b *broken) Apply(ctx context.Context, c revision.ChangeSet) (revision.Revision, error) {
	if err := b.race(ctx); err != nil {
		return revision.Revision{}, err
	}
	rows := b.History.State().Rows
	b.h.publisher.locked(func() {
		v := *b.h.publisher.view
		index := *v.Index
		index.Bytes = nil
		b.h.publisher.index = &index
		b.h.publisher.rows = rows
		b.h.publisher.view = &publish.View{Effective: b.h.publisher.overlaid(rows), Rows: rows, Index: &index}
	})
	return b.History.Apply(ctx, c)
}

// An import that is made is answered as one, though what it changed cannot be found out any more.
func TestAnImportThatIsMadeIsAnswered(t *testing.T) {
	b := &broken{racing: racing{edit: revision.RowEdit{ID: "x", After: &revision.Row{Campaign: []byte(plain("x", ""))}}}}
	h := start(t, func(c *Config) {
		b.History = c.History
		c.History = b
	})
	b.h = h
	done := decoded[apiv1.Imported](t, h.must(t, 200, request{method: "POST", path: "/document", body: `{"ads":[` + plain("a", "") + `]}`}))
	require.Equal(t, uint64(2), done.Revision)
	require.Equal(t, 1, done.Diff.Added)
	require.Equal(t, 1, h.logs.FilterMessage("compare what an import has made").Len(), "%v", h.logs.All())
	require.True(t, strings.HasPrefix(h.logs.FilterMessage("change made").All()[0].ContextMap()["what"].(string), "import"))
}
