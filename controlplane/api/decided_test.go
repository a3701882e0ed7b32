package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// decidingLoop answers decisions with an error, and tells what it was asked.
type decidingLoop struct {
	Loop

	err   error
	asked []string
}

func (l *decidingLoop) Confirm(_ context.Context, version, who, comment string) error {
	l.asked = []string{"confirm", version, who, comment}
	return l.err
}

func (l *decidingLoop) Refuse(_ context.Context, version, who, comment string) error {
	l.asked = []string{"refuse", version, who, comment}
	return l.err
}

func TestADecisionIsTheLoops(t *testing.T) {
	for name, c := range map[string]struct{ err, want error }{
		"that is stored":                    {},
		"on what is not held":               {ErrNotHeld, ErrNotHeld},
		"where another was faster":          {fmt.Errorf("set the decision: %w", revision.ErrConflict), errDecided},
		"that the store cannot take":        {revision.ErrUnavailable, revision.ErrUnavailable},
		"of which the answer took too long": {context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			loop := &decidingLoop{err: c.err}
			p := NewPublisher(loop, nil)
			require.ErrorIs(t, p.Confirm(t.Context(), "v", "olga", "why"), c.want)
			require.Equal(t, []string{"confirm", "v", "olga", "why"}, loop.asked)
			require.ErrorIs(t, p.Refuse(t.Context(), "v", "olga", "why"), c.want)
			require.Equal(t, []string{"refuse", "v", "olga", "why"}, loop.asked)
		})
	}
}
