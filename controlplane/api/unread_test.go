package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/publish"
)

// TestTheSummaryTellsWhatIsNotReadOfTheOperators: when the store was read is told only while it cannot be, as it is another moment each time.
func TestTheSummaryTellsWhatIsNotReadOfTheOperators(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		operators publish.OperatorsStatus
		want      apiv1.Summary
	}{
		"all is read":               {operators: publish.OperatorsStatus{ReadAt: monday}},
		"the store cannot be read":  {publish.OperatorsStatus{ReadAt: monday, ReadError: "no rights"}, apiv1.Summary{OperatorsError: "no rights", OperatorsReadAt: monday}},
		"it never could":            {publish.OperatorsStatus{ReadError: "no rights"}, apiv1.Summary{OperatorsError: "no rights"}},
		"rows are no campaigns":     {publish.OperatorsStatus{ReadAt: monday, Unreadable: 2}, apiv1.Summary{UnreadableRows: 2}},
		"nothing is known, or none": {},
	} {
		t.Run(name, func(t *testing.T) {
			h.publisher.locked(func() { h.publisher.status.Operators = &c.operators })
			got := get[apiv1.Summary](t, h, "/summary")
			require.Equal(t, c.want, apiv1.Summary{
				OperatorsError: got.OperatorsError, OperatorsReadAt: got.OperatorsReadAt.UTC(), UnreadableRows: got.UnreadableRows,
			})
			require.Equal(t, c.want.OperatorsReadAt.IsZero(), got.OperatorsReadAt.Equal(time.Time{}))
		})
	}
}
