package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/console/fakeapi"
)

// TestWhatIsNotReadOfTheOperatorsIsOnEveryPage: what a page shows may be old, or lack campaigns.
func TestWhatIsNotReadOfTheOperatorsIsOnEveryPage(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, api)
	_, page := b.get(t, "/")
	require.NotContains(t, visible(t, page), "cannot be read")
	api.Blind(noon.Add(-time.Hour), "AccessDeniedException: <b>no", 1200)
	for _, path := range paths {
		_, page := b.get(t, path)
		text := visible(t, page)
		require.Contains(t, text, "The operators’ changes cannot be read. What others have changed since 2027-01-04 11:00 UTC is not known to this control plane: AccessDeniedException: <b>no.", path)
		require.Contains(t, text, "Unreadable campaigns. 1,200 of the operators’ campaigns cannot be read: neither they nor the source’s campaigns of their IDs are served.", path)
	}
	api.Blind(time.Time{}, "there is no table", 0)
	_, page = b.get(t, "/")
	require.Contains(t, visible(t, page), "What others have changed is not known to this control plane: there is no table.")
	require.NotContains(t, visible(t, page), "Unreadable")
}
