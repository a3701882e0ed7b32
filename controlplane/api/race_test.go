package api

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// racing is a history in which somebody else writes just before the first change.
type racing struct {
	History

	once sync.Once
	edit revision.RowEdit
}

func (r *racing) race(ctx context.Context) (err error) {
	r.once.Do(func() {
		_, err = r.History.Apply(ctx, revision.ChangeSet{Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{r.edit}})
	})
	return err
}

func (r *racing) Apply(ctx context.Context, c revision.ChangeSet) (revision.Revision, error) {
	if err := r.race(ctx); err != nil {
		return revision.Revision{}, err
	}
	return r.History.Apply(ctx, c)
}

func (r *racing) Revert(ctx context.Context, number uint64, who, comment string, check revision.Check) (revision.Revision, error) {
	if err := r.race(ctx); err != nil {
		return revision.Revision{}, err
	}
	return r.History.Revert(ctx, number, who, comment, check)
}

// Somebody who writes between a change's reading and its writing loses nothing: without a condition the change is made of what is there
// then, with one it is refused.
func TestChangesThatMeet(t *testing.T) {
	for name, conditional := range map[string]bool{"without a condition": false, "with If-Match": true} {
		t.Run(name, func(t *testing.T) {
			r := &racing{edit: revision.RowEdit{ID: "s1", After: &revision.Row{Campaign: []byte(plain("s1", `,"name":"bob's"`))}}}
			h := start(t, func(c *Config) {
				r.History = c.History
				c.History = r
			})
			q := request{method: "PATCH", path: "/campaigns/s1", body: `{"weight":7}`}
			want, status := plain("s1", `,"name":"bob's","weight":7`), 200
			if conditional {
				q.header = map[string]string{"If-Match": h.must(t, 200, request{method: "GET", path: "/campaigns/s1"}).header.Get("ETag")}
				want, status = plain("s1", `,"name":"bob's"`), 412
			}
			h.must(t, status, q)
			require.JSONEq(t, want, string(get[apiv1.Campaign](t, h, "/campaigns/s1").Campaign))
		})
	}
}

// Many who change the same campaign at once: each change is a revision, and the last state has the last of each.
func TestManyEditorsAtOnce(t *testing.T) {
	h := start(t, nil)
	h.must(t, 201, request{method: "POST", path: "/campaigns", body: plain("c", "")})
	fields := []string{"weight", "priority", "start_hour", "end_hour"}
	var all sync.WaitGroup
	statuses := make([]int, len(fields))
	for n, field := range fields {
		all.Go(func() {
			res, err := h.client.Do(h.newRequest(t, request{method: "PATCH", path: "/campaigns/c", body: fmt.Sprintf(`{%q:%d}`, field, n+2)}))
			if err == nil {
				statuses[n] = res.StatusCode
				_ = res.Body.Close()
			}
		})
	}
	all.Wait()
	require.Equal(t, []int{200, 200, 200, 200}, statuses)
	require.Equal(t, uint64(5), h.history.State().Rows.Revision())
	require.JSONEq(t, `{"id":"c","video_url":"https://v.example/v","country":"us","lang":"eng","start_hour":4,"end_hour":5,"priority":3,"weight":2}`,
		string(get[apiv1.Campaign](t, h, "/campaigns/c").Campaign))
}

// What a client saw at another replica holds here, too, though this one has not followed yet.
func TestAnotherReplicaHasWritten(t *testing.T) {
	h := start(t, nil)
	other, err := revision.New(revision.Config{Store: h.store})
	require.NoError(t, err)
	r, err := other.Apply(t.Context(), revision.ChangeSet{
		Who: "bob", Kind: revision.Edit, Edits: []revision.RowEdit{{ID: "c", After: &revision.Row{Campaign: []byte(plain("c", ""))}}},
	})
	require.NoError(t, err)
	require.Zero(t, h.history.State().Rows.Revision())
	parsed, found := campaign.ParseOne([]byte(plain("c", "")))
	require.Empty(t, found)
	seen := item{Entry: campaign.Entry{Campaign: &parsed, Operator: true}, revision: r.Number}.etag()
	h.must(t, 200, request{method: "PATCH", path: "/campaigns/c", body: `{"weight":2}`, header: map[string]string{"If-Match": seen}})
}
