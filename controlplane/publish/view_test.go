package publish

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// Where nothing could be compiled since the start, operators see what the source has, and can mend it.
func TestADocumentThatIsTooLargeIsShownToBeMended(t *testing.T) {
	o := newOperators(t)
	one, err := campaign.Decode([]byte(doc("a")))
	require.NoError(t, err)
	index, err := compile.Compile(one, compile.Params{})
	require.NoError(t, err)
	b := hourly(t, o, Config{MaxIndexBytes: len(index.Bytes)}, answer{text: doc("a", "b")})
	b.heed()
	b.step(t)
	require.Empty(t, b.sink.Published())
	v := b.View()
	require.Nil(t, v.Index)
	require.Len(t, v.Source.Campaigns, 2)
	require.Equal(t, o.State().Rows, v.Rows)

	o.edit(t, "c", path("c"))
	b.settle()
	require.Empty(t, b.sink.Published())
	require.Len(t, b.View().Document.Campaigns, 3, "it is that of the present rows")
	require.Zero(t, b.Status().Operators.Compiled)
	require.Contains(t, b.Status().Operators.Error, compile.ErrTooLarge.Error())

	o.edit(t, "c", nil)
	o.edit(t, "b", &pause)
	b.settle()
	require.Equal(t, version(t, "a"), b.sink.Published())
	require.Equal(t, version(t, "a"), b.View().Index.Version)
	require.Equal(t, uint64(3), b.Status().Operators.Compiled)
}
