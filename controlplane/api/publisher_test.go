package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/publish"
	"adsidecar/controlplane/revision"
)

var (
	_ Loop    = (*publish.Loop)(nil)
	_ Kept    = (*revision.Service)(nil)
	_ History = (*revision.Service)(nil)
)

// fakeLoop shows what a test says.
type fakeLoop struct {
	Loop

	status publish.Status
	view   *publish.View
}

func (l *fakeLoop) Status() publish.Status { return l.status }
func (l *fakeLoop) View() *publish.View    { return l.view }

func TestPublisherOfALoop(t *testing.T) {
	h := start(t, nil)
	loop := &fakeLoop{}
	p := NewPublisher(loop, h.history)
	require.Nil(t, p.View())
	require.Nil(t, p.Held())
	require.ErrorIs(t, p.Resume(t.Context(), "bob", ""), ErrNotPinned)

	old, candidate := compiled(t, sourceDocument), compiled(t, `{"ads":[`+plain("a", "")+`]}`)
	report, err := json.Marshal(publish.Report{
		Ads: old.Ads, Keys: old.Keys, Rejected: old.Rejected, SourceTime: monday, Reasons: old.Reasons,
		CutCycles: 3, Cuts: []compile.Cut{{Key: "us/eng", Ads: 656, Turns: 64881, Uncut: 65537}}, TimeZones: "2026a",
	})
	require.NoError(t, err)
	require.NoError(t, h.history.KeepVersion(t.Context(), revision.Version{Hash: old.Version, At: monday, Source: "abc", Revision: 3, Report: report}, old.Bytes))
	loop.view = &publish.View{Index: candidate}
	loop.status.Index = &publish.IndexStatus{Version: old.Version}
	loop.status.Held = &publish.Held{Version: candidate.Version, Since: monday, Removed: 3}
	require.Same(t, loop.view, p.View())
	require.Equal(t, 3, p.Held().Removed)
	_, err = p.Rollback(t.Context(), "none", "bob", "")
	require.ErrorIs(t, err, ErrNoVersion)
	pin, err := p.Rollback(t.Context(), old.Version, "bob", "why")
	require.NoError(t, err)
	require.Equal(t, "bob", pin.Who)
	loop.status.Pin = &publish.PinStatus{Version: old.Version, Waiting: candidate.Version}
	require.Equal(t, candidate.Version, p.Pin().Waiting)
	for name, c := range map[string]struct {
		status publish.Status
		want   string
	}{
		"it is published":           {publish.Status{Index: loop.status.Index, PublishError: "of another one"}, ""},
		"it is on its way":          {publish.Status{}, ""},
		"it cannot be read":         {publish.Status{Pin: &publish.PinStatus{Error: "damaged"}, Index: loop.status.Index}, "damaged"},
		"Envoys refuse it":          {publish.Status{QuarantinedVersion: old.Version, PublishError: "e1: no room"}, "e1: no room"},
		"they have not said why":    {publish.Status{QuarantinedVersion: old.Version}, "Envoys refuse this version."},
		"it cannot be published":    {publish.Status{PublishError: "too large for xDS"}, "too large for xDS"},
		"the loop has another pin":  {publish.Status{Pin: &publish.PinStatus{Version: "v0", Error: "of v0"}, PublishError: "of v0"}, ""},
		"the loop has not heard it": {publish.Status{Pin: nil, PublishError: "of v0"}, ""},
	} {
		if name != "the loop has not heard it" {
			if c.status.Pin == nil {
				c.status.Pin = &publish.PinStatus{}
			}
			c.status.Pin.Version = cmp.Or(c.status.Pin.Version, old.Version)
		}
		require.Equal(t, c.want, NewPublisher(&fakeLoop{status: c.status}, h.history).Pin().Error, name)
	}
	versions, err := p.Versions(t.Context())
	require.NoError(t, err)
	require.Len(t, versions, 1)
	v := versions[0]
	require.True(t, v.Published && v.Pinned)
	require.Equal(t, []any{"abc", uint64(3), old.Ads, old.Keys, 1, monday}, []any{v.Document, v.Revision, v.Ads, v.Keys, v.Rejected, v.SourceTime})

	require.Equal(t, map[string]int{"invalid_url": 1}, v.RejectedByReason)
	require.Equal(t, []apiv1.Cut{{Key: "us/eng", Ads: 656, Turns: 64881, Uncut: 65537}}, v.Cuts)
	require.Equal(t, []any{3, "2026a"}, []any{v.CutCycles, v.TimeZones})

	require.NoError(t, p.Resume(t.Context(), "bob", ""))
	require.Nil(t, p.Pin())
	var b bytes.Buffer
	require.ErrorIs(t, p.ReadVersion(t.Context(), "none", &b), ErrNoVersion)
}
