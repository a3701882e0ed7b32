package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

func TestNoticesOfWhatIsNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		summary apiv1.Summary
		want    []string
	}{
		"all is well": {},
		"the store cannot be read any more": {apiv1.Summary{OperatorsError: "no rights", OperatorsReadAt: evening}, []string{
			"Not read: the operators' store, since 2026-12-24 20:30:15Z: no rights. What others have changed since is not known to this control plane.",
		}},
		"it never could, and rows are no campaigns": {apiv1.Summary{OperatorsError: "no table", UnreadableRows: 2}, []string{
			"Not read: the operators' store, since the control plane started: no table. What others have changed since is not known to this control plane.",
			"Unreadable: 2 of the operators' campaigns cannot be read; neither they nor the source's campaigns of their IDs are served. The log has the first of them.",
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, noticesOf(&c.summary)) })
	}
}
