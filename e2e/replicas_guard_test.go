package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// TestTwoOperatorsDecideAtOnce: what one has confirmed at one control plane another refuses at the other, at once and again and again: both
// control planes publish the same, and whoever was told "done" was not told wrongly.
func TestTwoOperatorsDecideAtOnce(t *testing.T) {
	two := []campaign{ad("a", "us", "eng"), ad("b", "us", "eng")}
	r := startReplicas(t, stack.Options{Campaigns: document(t, two...)}, "guards: {max_removed_share: 0.5}")
	full := r.agree(t, 0)
	r.Source.SetBody(document(t))
	r.both(t, func(s planeStatus) error {
		if s.Held == nil {
			return fmt.Errorf("not held, %+v is published", s.Index)
		}
		return publishing(full)(s)
	})
	held := heldBy(t, r.first, "max_removed_share")
	r.first.ask(t, "POST", "/held/"+held.Version+"/confirm", nil, http.StatusNoContent, nil)
	ctx, tries := deadline(t, time.Minute), 0
	for watch := stack.StartStopwatch(); ; tries++ {
		require.Less(t, watch.Took(), replicaWithin)
		a, err := r.second.try(ctx, "POST", "/held/"+held.Version+"/refuse", nil)
		require.NoError(t, err)
		if a.Code() == "not_held" {
			break
		}
		require.Equal(t, http.StatusConflict, a.Status, "try %d: it is published already at the first: %s", tries, a)
	}
	r.both(t, publishing(held.Version))
	t.Logf("%d refusals came too late", tries)
}

// TestANewReplicaHoldsAsTheOthersDo: a control plane without a state of its own gives its Envoys what the others give theirs.
func TestANewReplicaHoldsAsTheOthersDo(t *testing.T) {
	two := []campaign{ad("a", "us", "eng"), ad("b", "us", "eng")}
	r := startReplicas(t, stack.Options{Campaigns: document(t, two...)}, "guards: {max_removed_share: 0.5}")
	full := r.agree(t, 0)
	r.Source.SetBody(document(t))
	held := heldBy(t, r.first, "max_removed_share")
	further, err := r.AddControlPlane(deadline(t, 60*time.Second))
	require.NoError(t, err)
	require.Equal(t, held.Version, heldBy(t, operator{further}, "max_removed_share").Version)
	waitStatus(t, further, publishing(full))
}

// TestAConfirmationCountsOnce: a control plane that was down when a version was confirmed and published does not publish it for that when it is
// held again.
func TestAConfirmationCountsOnce(t *testing.T) {
	two := []campaign{ad("a", "us", "eng"), ad("b", "us", "eng")}
	r := startReplicas(t, stack.Options{Campaigns: document(t, two...)}, "guards: {max_removed_share: 0.5}")
	full := r.agree(t, 0)
	r.second.plane.Kill()
	r.Source.SetBody(document(t))
	held := heldBy(t, r.first, "max_removed_share")
	r.first.ask(t, "POST", "/held/"+held.Version+"/confirm", nil, http.StatusNoContent, nil)
	waitStatus(t, r.first.plane, publishing(held.Version))
	r.Source.SetBody(document(t, two...))
	waitStatus(t, r.first.plane, publishing(full))
	r.Source.SetBody(document(t))
	heldBy(t, r.first, "max_removed_share")
	require.NoError(t, r.second.plane.Start(deadline(t, 30*time.Second)))
	require.NoError(t, r.second.plane.WaitReady(deadline(t, 30*time.Second)))
	heldBy(t, r.second, "max_removed_share")
	r.both(t, publishing(full))
}
