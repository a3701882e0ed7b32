package storetest

import (
	"errors"
	"fmt"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it
	"time"

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/controlplane/revision"
)

// requireActions is for actions given newest first, without who and when.
func requireActions(t *testing.T, s *revision.Service, want ...revision.Action) {
	t.Helper()
	got, total, err := s.Actions(ctx(t), 0, revision.MaxPage)
	require.NoError(t, err)
	require.EqualValues(t, len(want), total)
	for i := range want {
		want[i].Number = uint64(len(want) - i)
	}
	require.Equal(t, append([]revision.Action(nil), want...), got)
}

func pinV1(t *testing.T, s *revision.Service) error {
	t.Helper()
	_, err := s.SetPin(ctx(t), s.State().Pin.Counter, "v1", "kim", "")
	return err
}

func refuseV2(t *testing.T, s *revision.Service) error {
	t.Helper()
	_, err := s.SetDecision(ctx(t), revision.Decision{Counter: s.State().Decision.Counter, Version: "v2", Base: "v1", Who: "ann"})
	return err
}

var actions = suite{
	"what was said is kept as it was, newest first, and every service tells it": func(t *testing.T, s revision.Store) {
		at := now
		a, b := serviceAt(t, s, func() time.Time { return at }), service(t, s)
		requireActions(t, b)
		keep(t, a, "v1")
		_, err := a.SetPin(ctx(t), 0, "v1", "kim", "no ads")
		require.NoError(t, err)
		at = at.Add(time.Hour)
		_, err = a.SetDecision(ctx(t), revision.Decision{Version: "v3", Base: "v1", Who: "ann", Comment: "a slip"})
		require.NoError(t, err)
		_, err = a.SetPin(ctx(t), 1, "", "ann", "mended")
		require.NoError(t, err)
		_, err = a.SetDecision(ctx(t), revision.Decision{Counter: 1, Version: "v4", Publish: true, Who: "kim"})
		require.NoError(t, err)
		apply(t, a, edit("x", "1")) // is none
		want := []revision.Action{
			{Kind: revision.ActionConfirm, Version: "v4", Who: "kim", At: at},
			{Kind: revision.ActionResume, Version: "v1", Who: "ann", Comment: "mended", At: at},
			{Kind: revision.ActionRefuse, Version: "v3", Base: "v1", Who: "ann", Comment: "a slip", At: at},
			{Kind: revision.ActionRollback, Version: "v1", Who: "kim", Comment: "no ads", At: now},
		}
		requireActions(t, b, want...)
		requireActions(t, a, want...)
	},
	"what was not done is not among them": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		keep(t, a, "v1")
		_, err := a.SetPin(ctx(t), 0, "v2", "kim", "")
		require.ErrorIs(t, err, revision.ErrNoVersion)
		_, err = a.SetPin(ctx(t), 1, "v1", "kim", "")
		require.ErrorIs(t, err, revision.ErrConflict)
		_, err = a.SetPin(ctx(t), 1, "", "kim", "")
		require.ErrorIs(t, err, revision.ErrConflict)
		_, err = a.SetDecision(ctx(t), revision.Decision{Counter: 1, Version: "v1", Who: "kim"})
		require.ErrorIs(t, err, revision.ErrConflict)
		requireActions(t, a)
		require.Zero(t, a.State().Pin)
	},
	"they come in pages, and cleaning removes none": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		const all = 2*revision.MaxRead + 3
		for n := range uint64(all) {
			_, err := a.SetDecision(ctx(t), revision.Decision{Counter: n, Version: "v1", Who: fmt.Sprint(n + 1)})
			require.NoError(t, err)
		}
		cleaned(t, s, now.Add(1000*time.Hour))
		next := uint64(all)
		for before := uint64(0); next > 0; {
			page, total, err := a.Actions(ctx(t), before, revision.MaxRead+1)
			require.NoError(t, err)
			require.EqualValues(t, all, total)
			require.Len(t, page, min(revision.MaxRead+1, int(next)))
			for _, one := range page {
				require.Equal(t, next, one.Number)
				require.Equal(t, fmt.Sprint(next), one.Who)
				next--
			}
			before = page[len(page)-1].Number
		}
		for _, none := range []struct {
			before uint64
			limit  int
		}{{1, 10}, {0, 0}, {0, -1}} {
			page, _, err := a.Actions(ctx(t), none.before, none.limit)
			require.NoError(t, err)
			require.Empty(t, page)
		}
	},
	"one that was decided before actions were kept is not among them": func(t *testing.T, s revision.Store) {
		require.NoError(t, s.Commit(ctx(t), text("pin", `{"version":"v1","who":"ann","at":"2026-03-04T05:06:07Z"}`, 0)))
		a := service(t, s)
		require.NoError(t, a.Follow(ctx(t)))
		requireActions(t, a)
		_, err := a.SetPin(ctx(t), 1, "", "kim", "")
		require.NoError(t, err)
		requireActions(t, a, revision.Action{Kind: revision.ActionResume, Version: "v1", Who: "kim", At: now})
	},
	"a pin and a decision that meet are both kept": func(t *testing.T, s revision.Store) {
		b := service(t, s)
		keep(t, b, "v1")
		for key, act := range map[string]struct {
			first, meanwhile func(*testing.T, *revision.Service) error
		}{
			"pin":      {pinV1, refuseV2},
			"decision": {refuseV2, pinV1},
		} {
			met := false
			seen := &spy{Store: s, before: func(all []revision.Put) {
				if puts(all, key) && !met {
					met = true
					require.NoError(t, act.meanwhile(t, b))
				}
			}}
			a := service(t, seen)
			require.NoError(t, a.Follow(ctx(t)))
			_, before, err := b.Actions(ctx(t), 0, 1)
			require.NoError(t, err)
			require.NoError(t, b.Follow(ctx(t)))
			require.NoError(t, act.first(t, a))
			require.True(t, met)
			page, total, err := b.Actions(ctx(t), 0, 2)
			require.NoError(t, err)
			require.Equal(t, before+2, total)
			require.NotEqual(t, page[0].Kind, page[1].Kind)
		}
	},
	"services that act at once leave a record of each action": func(t *testing.T, s revision.Store) {
		const each = 3
		c := ctx(t)
		services := make([]*revision.Service, racers)
		for i := range services {
			services[i] = service(t, s)
		}
		keep(t, services[0], "v1")
		for _, err := range race(func(racer int) error {
			a := services[racer]
			for n := 0; n < each; {
				if err := a.Follow(c); err != nil {
					return err
				}
				var err error
				if name := fmt.Sprint(racer, "/", n); racer%2 == 0 {
					_, err = a.SetPin(c, a.State().Pin.Counter, "v1", name, "")
				} else {
					_, err = a.SetDecision(c, revision.Decision{Counter: a.State().Decision.Counter, Version: "v2", Who: name})
				}
				switch {
				case err == nil:
					n++
				case !errors.Is(err, revision.ErrConflict) && !errors.Is(err, revision.ErrContended):
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		all, total, err := services[0].Actions(c, 0, revision.MaxPage)
		require.NoError(t, err)
		require.EqualValues(t, racers*each, total)
		names := map[string]bool{}
		for _, one := range all {
			names[one.Who] = true
		}
		require.Len(t, names, racers*each)
		require.NoError(t, services[0].Follow(c))
		require.EqualValues(t, racers*each/2, services[0].State().Pin.Counter)
		require.EqualValues(t, racers*each/2, services[0].State().Decision.Counter)
	},
	"an action is recorded if it was done, and else not, when its writer dies": func(t *testing.T, s revision.Store) {
		keep(t, service(t, s), "v1")
		for name, act := range map[string]func(*testing.T, *revision.Service) error{"rollback": pinV1, "refuse": refuseV2} {
			for _, applied := range []bool{false, true} {
				dying := &spy{Store: s, mortal: true, applied: applied}
				a := service(t, dying)
				require.NoError(t, a.Follow(ctx(t)))
				_, before, err := a.Actions(ctx(t), 0, 1)
				require.NoError(t, err)
				counters := a.State().Pin.Counter + a.State().Decision.Counter
				require.ErrorIs(t, act(t, a), revision.ErrUnavailable, name)
				b := service(t, s)
				require.NoError(t, b.Follow(ctx(t)))
				_, after, err := b.Actions(ctx(t), 0, 1)
				require.NoError(t, err)
				require.Equal(t, applied, after == before+1, name)
				require.Equal(t, b.State().Pin.Counter+b.State().Decision.Counter-counters, after-before, name)
			}
		}
	},
	"one that is missing is damage, and so is one that makes no sense": func(t *testing.T, s revision.Store) {
		a := service(t, s)
		require.NoError(t, refuseV2(t, a))
		const key = "action/00000000000000000001"
		require.NoError(t, s.Commit(ctx(t), text(key, `{"kind":1}`, 1)))
		_, _, err := a.Actions(ctx(t), 0, 10)
		require.ErrorIs(t, err, revision.ErrDamaged)
		require.NoError(t, s.Remove(ctx(t), key))
		_, _, err = a.Actions(ctx(t), 0, 10)
		require.ErrorIs(t, err, revision.ErrDamaged)
		require.NoError(t, s.Commit(ctx(t), text("actions", `[]`, 1)))
		_, _, err = a.Actions(ctx(t), 0, 10)
		require.ErrorIs(t, err, revision.ErrDamaged)
		_, err = a.SetDecision(ctx(t), revision.Decision{Counter: 1, Version: "v1", Who: "ann"})
		require.ErrorIs(t, err, revision.ErrDamaged)
	},
}
