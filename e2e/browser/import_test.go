package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/console/fakeapi"
	"adsidecar/e2e/browser"
)

// documents are a document with a faulty third line, and one that is right, each in a file.
func documents(t *testing.T) (faulty, right string) {
	t.Helper()
	folder := t.TempDir()
	faulty, right = filepath.Join(folder, "faulty.json"), filepath.Join(folder, "right.json")
	const first = `{"id":"new","video_url":"https://v.example/1","country":"us","lang":"eng","start_hour":0,"end_hour":0}`
	const second = `{"id":"wrong","video_url":"https://v.example/1","country":"usa","lang":"eng","start_hour":0,"end_hour":0}`
	require.NoError(t, os.WriteFile(faulty, []byte("{\"ads\":[\n"+first+",\n"+second+"]}"), 0o600))
	require.NoError(t, os.WriteFile(right, []byte("{\"ads\":[\n"+first+"]}"), 0o600))
	return faulty, right
}

const (
	file  = "[name=file]"
	look  = "[formaction*=dry_run]"
	apply = "form[data-import] button:not([formaction])"
	again = "#outcome button[form=import]"
)

// pictures are of the page as it is, wide and light, narrow and dark.
func pictures(t *testing.T, name string) {
	t.Helper()
	for _, width := range []int{1280, 360} {
		require.NoError(t, window.Look(t.Context(), width, width == 360))
		picture(t, name+map[bool]string{true: "-360-dark", false: "-1280-light"}[width == 360])
	}
	require.NoError(t, window.Look(t.Context(), 1280, false))
}

// meet waits for somebody who receives, or for the end of the test.
func meet(ctx context.Context, with chan<- struct{}) {
	select {
	case with <- struct{}{}:
	case <-ctx.Done():
	}
}

// TestImport: a person is shown the faulty line, then what would change, then imports the same file, and sees how far that is.
func TestImport(t *testing.T) {
	faulty, right := documents(t)
	api := fakeapi.Sample(time.Now())
	api.Held = nil
	at, on := make(chan struct{}), make(chan struct{})
	stepping := false
	api.Step = func(apiv1.ImportEvent) {
		if !stepping {
			return
		}
		meet(t.Context(), at)
		meet(t.Context(), on)
	}
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/campaigns"))
	click(t, "a[href='/campaigns/import']")
	require.NoError(t, window.Type(t.Context(), file, faulty))
	click(t, look)
	shown(t, "#outcome", "Nothing was changed")
	shown(t, "#outcome tbody tr", "3 2 wrong country must be 2 ASCII letters")
	pictures(t, "import-faulty")

	require.NoError(t, window.Type(t.Context(), file, right))
	click(t, look)
	shown(t, "#outcome", "What would change")
	shown(t, "#outcome", "Import it")
	pictures(t, "import-diff")
	require.Empty(t, api.Writes()[1].Header.Get("X-Comment"))
	require.Contains(t, api.Writes()[1].Path, "dry_run=true")

	api.Do(func(*fakeapi.API) { stepping = true })
	require.NoError(t, window.Type(t.Context(), "[name=comment]", "spring, as agreed"))
	click(t, again) // with the file that was looked at
	for _, words := range []string{"", "Reading (", "Checking the campaigns (50 %)", "Saving (100 %)"} {
		select {
		case <-at: // what came before has been said
		case <-time.After(patience):
			t.Fatal("the import does not go on")
		}
		if words != "" {
			shown(t, "#import-progress", words)
		}
		if words == "Saving (100 %)" {
			pictures(t, "import-progress")
		}
		<-on
	}
	shown(t, "main", "The document is imported, as this revision.")
	shown(t, "h1", "Revision 41")
	writes := api.Writes()
	last := writes[len(writes)-1]
	require.Equal(t, `"41"`, last.Header.Get("If-Match"), "what was looked at")
	require.Equal(t, "spring%2C%20as%20agreed", last.Header.Get("X-Comment"))
	require.NotContains(t, last.Path, "dry_run")
	require.Contains(t, last.Body, `"id":"new"`)
	uncomplaining(t)
}

// TestAnImportThatOthersOvertake changes nothing: a person is told what they changed, and looks again, with the file that is there already.
func TestAnImportThatOthersOvertake(t *testing.T) {
	_, right := documents(t)
	api := fakeapi.Sample(time.Now())
	api.Held = nil
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/campaigns/import"))
	require.NoError(t, window.Type(t.Context(), file, right))
	click(t, look)
	shown(t, "#outcome", "Import it")
	api.Do(func(a *fakeapi.API) {
		a.Revisions = append([]apiv1.RevisionChanges{{Revision: apiv1.Revision{Number: 42}}}, a.Revisions...)
	})
	click(t, again)
	shown(t, "#outcome", "Changed since you looked: evening")
	pictures(t, "import-overtaken")
	click(t, "#outcome [formaction*=dry_run]")
	shown(t, "#outcome", "What would change")
	click(t, again)
	shown(t, "main", "The document is imported, as this revision.")
	uncomplaining(t)
}

// TestImportWithoutAScript is the same in whole pages; what is pasted stays from one to the next.
func TestImportWithoutAScript(t *testing.T) {
	faulty, right := documents(t)
	address := site(t, fakeapi.Sample(time.Now()), "")
	require.NoError(t, window.Scripts(t.Context(), false))
	require.NoError(t, window.Open(t.Context(), address+"/campaigns/import"))
	require.NoError(t, window.Type(t.Context(), file, faulty))
	click(t, apply)
	shown(t, "#outcome tbody tr", "3 2 wrong country must be 2 ASCII letters")
	require.NoError(t, window.Type(t.Context(), file, right))
	click(t, look)
	shown(t, "#outcome", "choose the file again above")
	require.NoError(t, window.Type(t.Context(), file, right))
	click(t, again)
	shown(t, "main", "The document is imported, as this revision.")
	require.NoError(t, window.Open(t.Context(), address+"/campaigns/import"))

	text, err := os.ReadFile(right)
	require.NoError(t, err)
	click(t, "#import summary")
	require.NoError(t, window.Type(t.Context(), "[name=text]", string(text)))
	click(t, look)
	shown(t, "#outcome", "Import it")
	click(t, apply)
	shown(t, "main", "The document is imported, as this revision.")
}

// TestNotices come and go on a page that is open: what cannot be compiled, what is held, and who refused it.
func TestNotices(t *testing.T) {
	api := fakeapi.Sample(time.Now())
	held := *api.Held
	api.Held = nil
	require.NoError(t, window.Open(t.Context(), site(t, api, "")+"/preview?country=us&lang=eng"))
	shown(t, "#live", "Live")
	require.Eventually(t, func() bool { return api.Listeners() == 1 }, patience, 10*time.Millisecond)
	api.Do(func(a *fakeapi.API) {
		a.Basis.Ahead, a.Held = true, &held
		a.Strand(44, 41, "index: 65 MiB are more than 64 MiB")
	})
	shown(t, "#stuck", "Revision 44, the operators’ newest, cannot be published: index: 65 MiB are more than 64 MiB.")
	shown(t, "#held", "it removes more ads than the guard allows")
	shown(t, "#ahead", "a newer one is held; the newest revision cannot be compiled")
	pictures(t, "notices")

	// Enter in the first form, which is open, refuses: that can be taken back.
	click(t, "#held summary")
	require.NoError(t, window.Type(t.Context(), "#held [name=comment]", "ask sales first"))
	require.NoError(t, window.Press(t.Context(), browser.Enter))
	shown(t, "main", "The held version is refused.")
	last := api.Writes()[len(api.Writes())-1]
	require.Equal(t, "/held/"+held.Version+"/refuse", last.Path)
	require.Equal(t, "ask%20sales%20first", last.Header.Get("X-Comment"))
	uncomplaining(t)
}
