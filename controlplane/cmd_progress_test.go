package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	clock := func() time.Time { return now }
	receiving := func(done, total int64) apiv1.ImportProgress {
		return apiv1.ImportProgress{Phase: apiv1.Receiving, Done: done, Total: total}
	}
	var out bytes.Buffer
	p := newProgress(&out, false, 0, clock)
	require.Nil(t, p.hear(), "nobody waits at what is no terminal")
	p.end()
	require.Empty(t, out.String())

	p = newProgress(&out, true, 3_000_000, clock)
	hear := p.hear()
	hear(receiving(0, 0))
	hear(receiving(1_000_000, 0)) // in the same second
	now = now.Add(progressInterval)
	hear(receiving(1_500_000, 6_000_000))
	hear(apiv1.ImportProgress{Phase: apiv1.Checking, Done: 7, Total: 9})
	hear(apiv1.ImportProgress{Phase: apiv1.Storing, Done: 8})
	p.end()
	require.Equal(t, "received 0.0 of 3.0 MB\nreceived 1.5 of 6.0 MB\nchecked 7 of 9 campaigns\nstored 8 campaigns\n", out.String())

	out.Reset()
	p = &progress{to: &out, terminal: true, now: clock}
	p.hear()(receiving(500_000, 0))
	p.hear()(receiving(600_000, 0))
	p.end()
	require.Equal(t, "\r\x1b[Kreceived 0.5 MB\r\x1b[Kreceived 0.6 MB\r\x1b[K", out.String())

	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	require.False(t, terminal(file))
}
