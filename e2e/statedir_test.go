package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// heavy is an ad that runs all day, of about n bytes.
func heavy(id string, n int) campaign {
	c := ad(id, "us", "eng")
	c.VideoURL += "?" + strings.Repeat("x", n)
	return c
}

// troubled waits until the status says what is wrong with the state directory, or that nothing is.
func troubled(t *testing.T, c *stack.ControlPlane, is bool) planeStatus {
	t.Helper()
	return waitStatus(t, c, func(s planeStatus) error {
		if document, index := s.State.Error, s.Operators.KeepError; (document != "") != is || (index != "") != is {
			return fmt.Errorf("document: %q, index: %q", document, index)
		}
		return nil
	})
}

// TestStateDirWithoutRoom: a disk that takes no more is told, and costs nothing but what it was for. What stands for the disk's end is the
// limit of a file's size, which needs no disk of its own.
func TestStateDirWithoutRoom(t *testing.T) {
	s := start(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), NoControlPlane: true, NoEnvoy: true})
	c := s.ControlPlane()
	limited, err := stack.StartProcess(stack.Command{
		Name: c.Name, LogFile: c.LogFile,
		Path: "/bin/sh", Args: []string{"-c", `ulimit -f 320 && exec "$0" "$@"`, programs.Adsidecar, "serve", "--config", c.ConfigFile}, // 160 KiB
	})
	require.NoError(t, err)
	t.Cleanup(limited.Kill)
	require.NoError(t, limited.WaitFor(deadline(t, 30*time.Second), "healthy", func(ctx context.Context) error {
		_, err := statusOf(ctx, c)
		return err
	}))
	_, err = s.AddEnvoy(t.Context(), stack.EnvoyOptions{})
	require.NoError(t, err)
	require.NoError(t, s.WaitServed(deadline(t, 30*time.Second)))
	o := operator{c}

	t.Run("a document and an index that find no room are served", func(t *testing.T) {
		ads := []campaign{ad("big", "us", "eng")}
		for i := range 200 {
			ads = append(ads, heavy(fmt.Sprintf("pad-%03d", i), 1500))
			ads[i+1].Country = "de"
		}
		s.Source.SetBody(document(t, ads...))
		servedWithin(t, s, "big", true)
		servedWithin(t, s, "a", false)
		told := troubled(t, c, true)
		require.Contains(t, told.State.Error, c.StateDir)
		require.Equal(t, 201, told.Index.Ads)
		series := planeMetrics(t, c)
		require.Positive(t, series["adsidecar_state_errors_total"])
		require.Positive(t, series["adsidecar_version_keep_errors_total"])
	})
	acknowledged := 0
	t.Run("changes are taken while there is room, and then refused", func(t *testing.T) {
		for ; ; acknowledged++ {
			require.Less(t, acknowledged, 500, "there is no limit")
			a, err := o.try(deadline(t, 20*time.Second), "POST", "/campaigns", heavy(fmt.Sprintf("op-%03d", acknowledged), 1900))
			require.NoError(t, err)
			if a.Status != http.StatusCreated {
				require.Equal(t, http.StatusServiceUnavailable, a.Status, a)
				require.Equal(t, "store_unavailable", a.Code())
				break
			}
		}
		require.NotZero(t, acknowledged)
		require.Positive(t, planeMetrics(t, c)["adsidecar_operators_store_write_errors_total"])
		o.ask(t, "GET", "/campaigns", nil, 200, nil)
		require.NoError(t, s.WaitServed(deadline(t, 10*time.Second)))
		require.True(t, limited.Running())
	})
	t.Run("with room again everything that was acknowledged is there", func(t *testing.T) {
		limited.Kill()
		require.NoError(t, c.Start(deadline(t, 30*time.Second)))
		require.NoError(t, c.WaitReady(deadline(t, 30*time.Second)))
		for i := range acknowledged {
			o.ask(t, "GET", fmt.Sprintf("/campaigns/op-%03d", i), nil, 200, nil)
		}
		o.ask(t, "POST", "/campaigns", ad("after", "us", "eng"), 201, nil)
		troubled(t, c, false)
		o.ask(t, "GET", "/campaigns/after", nil, 200, nil)
	})
	t.Logf("%d changes found room", acknowledged)
}

// TestStateDirIsTakenAway: what cannot be kept is served and told, and kept once it can be.
func TestStateDirIsTakenAway(t *testing.T) {
	s := served(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng"))})
	c := s.ControlPlane()
	require.NoError(t, os.Rename(c.StateDir, c.StateDir+"-elsewhere"))
	s.Source.SetBody(document(t, ad("b", "us", "eng")))
	servedWithin(t, s, "b", true)
	require.Contains(t, troubled(t, c, true).State.Error, "no such file or directory")
	require.NoError(t, os.Rename(c.StateDir+"-elsewhere", c.StateDir))
	troubled(t, c, false)

	s.Source.SetMode(stack.SourceFails)
	c.Kill()
	require.NoError(t, c.Start(deadline(t, 30*time.Second)))
	require.NoError(t, c.WaitReady(deadline(t, 30*time.Second)))
	status, err := statusOf(t.Context(), c)
	require.NoError(t, err)
	require.True(t, status.Source.ServedFromDisk)
	servedWithin(t, s, "b", true)
}

// TestStateDirAtTheStart: changes that cannot be read end the start with a word about it, as without them it would serve what operators paused;
// without the last document and index there is the source's.
func TestStateDirAtTheStart(t *testing.T) {
	s := start(t, stack.Options{Campaigns: document(t, ad("a", "us", "eng")), NoEnvoy: true})
	c := s.ControlPlane()
	require.NoError(t, c.WaitReady(deadline(t, 30*time.Second)))
	operator{c}.ask(t, "PATCH", "/campaigns/a", map[string]any{"enabled": false}, 200, nil)
	waitStatus(t, c, func(p planeStatus) error {
		if p.Operators.Compiled != 1 || p.Index.Ads != 0 {
			return fmt.Errorf("revision %d, %d ads", p.Operators.Compiled, p.Index.Ads)
		}
		return nil
	})
	require.NoError(t, c.Stop())
	good := filepath.Join(t.TempDir(), "good")
	require.NoError(t, os.CopyFS(good, os.DirFS(c.StateDir)))

	halve := func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	}
	folder := func(path string) error {
		return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700))
	}
	other := func(path string) error { return os.WriteFile(path, make([]byte, 70_000), 0o600) }
	for name, tc := range map[string]struct {
		file  string
		spoil func(path string) error
		ends  bool
	}{
		"a folder in place of the changes":     {"operators.db", folder, true},
		"something else in place of them":      {"operators.db", other, true},
		"half of the changes":                  {"operators.db", halve, true},
		"a folder in place of the document":    {"last-good", folder, false},
		"something else in place of it":        {"last-good", other, false},
		"half of the document":                 {"last-good", halve, false},
		"a folder in place of the index":       {"last-index", folder, false},
		"something else in place of the index": {"last-index", other, false},
		"half of the index":                    {"last-index", halve, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(c.StateDir))
			require.NoError(t, os.CopyFS(c.StateDir, os.DirFS(good)))
			require.NoError(t, tc.spoil(filepath.Join(c.StateDir, tc.file)))
			if tc.ends {
				r := command{dir: t.TempDir()}.run(t, "serve", "--config", c.ConfigFile)
				require.Equal(t, 1, r.code)
				require.Regexp(t, `(?m)^adsidecar: campaigns\.state_dir: .*operators\.db`, r.stderr)
				return
			}
			require.NoError(t, c.Start(deadline(t, 30*time.Second)))
			defer func() { require.NoError(t, c.Stop()) }()
			require.NoError(t, c.WaitReady(deadline(t, 30*time.Second)))
			status, err := statusOf(t.Context(), c)
			require.NoError(t, err)
			require.Zero(t, status.Index.Ads, "it is paused")
			require.Empty(t, status.Source.Error)
			require.Equal(t, tc.file == "last-good", status.State.Ignored != "", status.State.Ignored)
			require.Positive(t, planeMetrics(t, c)["adsidecar_state_errors_total"])
		})
	}
}
