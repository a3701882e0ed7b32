package publish

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

// rolledBack is a Loop that has published the versions of a,b and of a,c, and then the first again for a pin, all without any revision.
func rolledBack(t *testing.T, cfg Config, file string) (o *fakeOperators, backup string) {
	t.Helper()
	o = openOperators(t, file)
	cfg.Operators = o
	b := restarted(t, cfg, answer{text: doc("a", "b")}, answer{text: doc("a", "c")}, unchanged)
	for range 2 {
		b.step(t)
		b.keepNow(t)
		b.tellNow(t)
	}
	require.Equal(t, version(t, "a", "c"), b.sink.Published())
	backup = filepath.Join(t.TempDir(), "operators.db")
	copyTo(t, file, backup)
	o.pin(t, version(t, "a", "b"))
	b.settle()
	b.fetchNow(t)
	b.keepNow(t)
	b.tellNow(t)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
	return o, backup
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

func TestAPinThatIsLostBringsNothingBack(t *testing.T) {
	for name, lost := range map[string]func(t *testing.T, backup string) string{
		"with the store": func(t *testing.T, _ string) string { return filepath.Join(t.TempDir(), "operators.db") },
		"by a backup":    func(_ *testing.T, backup string) string { return backup },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{StateDir: t.TempDir()}
			whole, backup := rolledBack(t, cfg, filepath.Join(t.TempDir(), "operators.db"))
			o := openOperators(t, lost(t, backup))
			for range 2 { // restarts, while the store counts on
				cfg.Operators = o.reopened(t)
				b := restarted(t, cfg, answer{text: doc("a", "c")})
				b.step(t)
				requireHeld(t, b, reasonRevisionLost, version(t, "a", "c"), "a", "b")
				require.Contains(t, b.Status().Held.Message, "made with another store of the operators' changes, or with more than this one knows now")
				b.keepNow(t)
				b.tellNow(t)
				for range 2 {
					_, err := o.SetPin(t.Context(), o.State().Pin.Counter, "", "test", "")
					require.NoError(t, err)
				}
			}
			t.Run("until it is back", func(t *testing.T) {
				back := cfg
				back.StateDir = t.TempDir()
				for _, name := range []string{stateFile, indexFile, storeFile} {
					copyTo(t, filepath.Join(cfg.StateDir, name), filepath.Join(back.StateDir, name))
				}
				back.Operators = whole.reopened(t)
				b := restarted(t, back, answer{text: doc("a", "c")})
				b.step(t)
				b.fetchNow(t)
				require.Nil(t, b.Status().Held)
				require.Equal(t, version(t, "a", "b"), b.sink.Published())
				require.NotNil(t, b.Status().Pin)
				whole := back.Operators.(*fakeOperators)
				whole.pin(t, "")
				b.settle()
				if name == "by a backup" { // it may have counted on as well: nothing tells
					requireHeld(t, b, reasonRevisionLost, version(t, "a", "c"), "a", "b")
					return
				}
				require.Nil(t, b.Status().Held)
				require.Equal(t, version(t, "a", "c"), b.sink.Published())
			})
			cfg.Operators = o.reopened(t)
			b := restarted(t, cfg, answer{text: doc("a", "c")})
			b.step(t)
			requireKnownOnceConfirmed(t, b, cfg, o, version(t, "a", "c"))
		})
	}
}

func TestABackupIsLostHoweverFarItCountsOn(t *testing.T) {
	for name, say := range map[string]func(t *testing.T, o *fakeOperators){
		"without a pin": func(t *testing.T, o *fakeOperators) {
			t.Helper()
			o.pin(t, "")
		},
		"without a decision": func(t *testing.T, o *fakeOperators) {
			t.Helper()
			_, err := o.SetDecision(t.Context(), revision.Decision{Counter: o.State().Decision.Counter, Version: "another", Who: "olga"})
			require.NoError(t, err)
		},
		"without what replicas publish": func(t *testing.T, o *fakeOperators) {
			t.Helper()
			_, err := o.SetPublished(t.Context(), revision.Published{Counter: o.State().Published.Counter, Version: "another"})
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{StateDir: t.TempDir()}
			file, backup := filepath.Join(t.TempDir(), "operators.db"), filepath.Join(t.TempDir(), "operators.db")
			o := openOperators(t, file)
			cfg.Operators = o
			o.edit(t, "a", &pause)
			b := restarted(t, cfg, answer{text: doc("a", "b")}, unchanged)
			b.step(t)
			copyTo(t, file, backup)
			say(t, o)
			b.step(t)
			b.settle()
			b.keepNow(t)

			old := openOperators(t, backup)
			cfg.Operators = old
			b = restarted(t, cfg, answer{text: doc("a", "b")})
			b.step(t)
			require.Nil(t, b.Status().Held, "nothing would change")
			require.Equal(t, version(t, "b"), b.sink.Published())
			say(t, old)
			say(t, old)
			old.edit(t, "x", path("x"))
			b.settle()
			requireHeld(t, b, reasonRevisionLost, version(t, "b", "x"), "b")
		})
	}
}

func TestWhatIsLostStaysSoWhileItCountsOnOverARestart(t *testing.T) {
	for name, forget := range map[string]func(t *testing.T, o *fakeOperators, dir string){
		"and its identity tells": func(*testing.T, *fakeOperators, string) {},
		"where the one before had no identity": func(t *testing.T, _ *fakeOperators, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, storeFile)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{StateDir: t.TempDir()}
			edited(t, cfg)
			o := newOperators(t)
			forget(t, o, cfg.StateDir)
			cfg.Operators = o
			b := restarted(t, cfg, answer{text: doc("a", "b")})
			b.step(t)
			requireHeld(t, b, reasonRevisionLost, version(t, "a", "b"), "b", "c")
			for _, id := range []string{"p", "q", "r"} { // beyond the revision that was published
				o.edit(t, id, path(id))
			}
			b.settle()
			requireHeld(t, b, reasonRevisionLost, version(t, "a", "b", "p", "q", "r"), "b", "c")
			cfg.Operators = o.reopened(t)
			b = restarted(t, cfg, answer{text: doc("a", "b")})
			b.step(t)
			requireHeld(t, b, reasonRevisionLost, version(t, "a", "b", "p", "q", "r"), "b", "c")
		})
	}
}

func TestAnEmptiedStoreThatChangesNothingAtFirst(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	edited(t, cfg)
	require.NoError(t, os.Remove(filepath.Join(cfg.StateDir, storeFile))) // it had no identity
	o := newOperators(t)
	cfg.Operators = o
	b := restarted(t, cfg, answer{text: doc("b", "c")})
	b.step(t)
	require.Nil(t, b.Status().Held)
	for _, id := range []string{"p", "q", "r"} {
		o.edit(t, id, path(id))
	}
	b.settle()
	requireHeld(t, b, reasonRevisionLost, version(t, "b", "c", "p", "q", "r"), "b", "c")
}

func TestAStoreThatGetsItsIdentityLaterIsNotLost(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	_, o := edited(t, cfg)
	require.NoError(t, o.store.Remove(t.Context(), "store"))
	require.NoError(t, os.Remove(filepath.Join(cfg.StateDir, storeFile)))
	for range 2 { // before, and with it
		o = o.reopened(t)
		cfg.Operators = o
		b := restarted(t, cfg, answer{text: doc("a", "b")})
		b.step(t)
		require.Nil(t, b.Status().Held)
		id := []string{"x", "y"}[min(o.State().Rows.Len()-2, 1)]
		o.edit(t, id, path(id))
		require.NoError(t, o.Follow(t.Context()))
		b.settle()
		require.Nil(t, b.Status().Held)
		require.NotEmpty(t, b.guard.known.Store)
		b.keepNow(t)
	}
}

func TestARecordOfTheStoreThatIsDamagedIsTold(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	_, o := edited(t, cfg)
	require.NoError(t, os.Truncate(filepath.Join(cfg.StateDir, storeFile), 60))
	cfg.Operators = o.reopened(t)
	b := restarted(t, cfg, answer{text: doc("a", "b")})
	require.EqualValues(t, 1, b.metric(t, "state_errors_total"))
	b.step(t)
	require.Nil(t, b.Status().Held)
	require.Equal(t, version(t, "b", "c"), b.sink.Published())
}

func TestARecordOfAnotherSourcesStoreDoesNotCount(t *testing.T) {
	cfg := Config{StateDir: t.TempDir()}
	edited(t, cfg)
	cfg.Operators = newOperators(t)
	b := newBench(t, cfg, answer{text: doc("a", "b")})
	b.source.identity = "another"
	b.heed()
	b.restore()
	b.step(t)
	require.Nil(t, b.Status().Held)
	require.Equal(t, version(t, "a", "b"), b.sink.Published())
}
