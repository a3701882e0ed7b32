package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/controlplane/console/fakeapi"
)

const (
	goodDocument = "{\"ads\":[\n{\"id\":\"one\",\"video_url\":\"https://v.example/1\",\"country\":\"us\",\"lang\":\"eng\",\"start_hour\":0,\"end_hour\":0}]}"
	badDocument  = "{\"ads\":[\n{\"id\":\"one\",\"video_url\":\"https://v.example/1\",\"country\":\"us\",\"lang\":\"eng\",\"start_hour\":0,\"end_hour\":0},\n" +
		"{\"id\":\"<b>two\",\"video_url\":\"https://v.example/1\",\"country\":\"usa\",\"lang\":\"eng\",\"start_hour\":0,\"end_hour\":0}]}"
)

// field is a field of a form of several parts, in its order.
type field struct{ name, value string }

func formOf(t *testing.T, fields ...field) (mediaType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		part, err := w.CreateFormField(f.name)
		if f.name == "file" {
			part, err = w.CreateFormFile(f.name, "ads.json")
		}
		require.NoError(t, err)
		_, err = io.WriteString(part, f.value)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// upload sends a form as a browser does, and as our script does if it is live. Where there is a page it is checked, and returned as text.
func (b *browser) upload(t *testing.T, path string, live bool, header map[string]string, fields ...field) (answer *http.Response, body string) {
	t.Helper()
	media, form := formOf(t, fields...)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+path, bytes.NewReader(form))
	require.NoError(t, err)
	r.Header.Set("Content-Type", media)
	if live {
		r.Header.Set("Accept", mediaLines)
	}
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err = client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") && answer.StatusCode != http.StatusSeeOther {
		checkPage(t, string(text))
	}
	return answer, string(text)
}

func TestImport(t *testing.T) {
	const try, do = "/campaigns/import?dry_run=true", "/campaigns/import"
	for name, tc := range map[string]struct {
		path   string
		fields []field
		status int
		to     string
		shows  []string
		asked  string // empty: nothing
		why    string
	}{
		"the first look": {try, []field{{"comment", ""}, {"text", ""}, {"file", goodDocument}}, 200, "", []string{
			"What would change", "Added1Changed1Removed1", "Keys that differ12", "2,481,920 → 2,479,001 bytes", "launch added", "Weight 1 → 3", "choose the file again above, then press Import it",
		}, "/document?dry_run=true", ""},
		"a first look at what is pasted": {try, []field{{"comment", "why\n"}, {"text", goodDocument + "\r\n"}, {"file", ""}}, 200, "", []string{
			"What would change", "Import it Nothing was changed yet. It is refused if somebody changes one of these campaigns before.",
		}, "/document?dry_run=true", "why"},
		"a faulty row": {do, []field{{"file", badDocument}}, 422, "", []string{
			"Nothing was changed The document is not valid. LineAdID", "32<b>twocountry must be",
		}, "/document?", ""},
		"no JSON":            {do, []field{{"file", "ads:"}}, 422, "", []string{"1–nonethe document is no JSON"}, "/document?", ""},
		"the import":         {do, []field{{"comment", "spring: ü"}, {"text", " \n"}, {"file", goodDocument}}, 303, "/revisions/41?done=imported", nil, "/document?", "spring:%20%C3%BC"},
		"what is there":      {do, []field{{"file", `{"ads":[]}`}}, 200, "", []string{"Nothing was changed: all of it is there already."}, "/document?", ""},
		"no document":        {do, []field{{"comment", "why"}, {"text", ""}, {"file", ""}}, 400, "", []string{"There is no document."}, "", ""},
		"two documents":      {do, []field{{"text", goodDocument}, {"file", goodDocument}}, 400, "", []string{"Take one of them away"}, "", ""},
		"a long reason":      {do, []field{{"comment", strings.Repeat("ü", 1001)}, {"file", goodDocument}}, 400, "", []string{"longer than 1000 characters"}, "", ""},
		"much is pasted":     {do, []field{{"text", strings.Repeat("x", maxPaste+1)}}, 400, "", []string{"longer than 1 MiB"}, "", ""},
		"larger than may be": {do, []field{{"file", `{"ads":[` + strings.Repeat(" ", fakeapi.MaxDocument) + "]}"}}, 413, "", []string{"The body is larger than"}, "/document?", ""},
	} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(noon)
			api.Held = nil
			b := open(t, api)
			answer, page := b.upload(t, tc.path, false, nil, tc.fields...)
			require.Equal(t, tc.status, answer.StatusCode)
			require.Equal(t, tc.to, answer.Header.Get("Location"))
			for _, words := range tc.shows {
				require.Contains(t, visible(t, page), words)
			}
			if tc.asked == "" {
				require.Empty(t, api.Writes())
				return
			}
			require.Len(t, api.Writes(), 1)
			write := api.Writes()[0]
			require.Equal(t, tc.asked, write.Path)
			require.Equal(t, tc.why, write.Header.Get("X-Comment"))
			if tc.status < 400 {
				require.True(t, slices.ContainsFunc(tc.fields, func(f field) bool { return strings.TrimSpace(f.value) == write.Body }), write.Body)
			}
			if tc.to != "" {
				_, page := b.get(t, tc.to)
				require.Contains(t, visible(t, page), "The document is imported, as this revision.")
			}
		})
	}
}

// TestWhatWasLookedAtIsImported, and nothing where somebody has changed one of its campaigns since: that leads back to the look.
func TestWhatWasLookedAtIsImported(t *testing.T) {
	for name, live := range map[string]bool{"with a script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			api := fakeapi.Sample(noon)
			b := open(t, api)
			_, page := b.upload(t, "/campaigns/import?dry_run=true", live, nil, field{"file", goodDocument})
			const do = "/campaigns/import?base=41"
			require.Contains(t, page, do)
			require.Empty(t, api.Writes()[0].Header.Get("If-Match"))
			answer, body := b.upload(t, do, live, nil, field{"file", goodDocument})
			require.Equal(t, `"41"`, api.Writes()[1].Header.Get("If-Match"))
			require.Contains(t, body+answer.Header.Get("Location"), "/revisions/41?done=imported")

			api.Do(func(a *fakeapi.API) {
				a.Revisions = append([]apiv1.RevisionChanges{{Revision: apiv1.Revision{Number: 42}}}, a.Revisions...)
			})
			_, page = b.upload(t, do, false, nil, field{"text", goodDocument})
			text := visible(t, page)
			require.Contains(t, text, "Nothing was changed Somebody else has changed it. Changed since you looked: evening, <b>x. Show what would change now")
			require.Contains(t, page, `href="/campaign?id=evening"`)
			require.Contains(t, page, `formaction="/campaigns/import?dry_run=true">Show what would change now`)
			_, page = b.upload(t, do, false, nil, field{"file", goodDocument})
			require.Contains(t, visible(t, page), "Choose the file again above, and press “Show what would change”.")
			_, page = b.upload(t, "/campaigns/import?dry_run=true", false, nil, field{"file", goodDocument})
			require.Contains(t, page, "/campaigns/import?base=42")
		})
	}
}

// TestWhatIsPastedStays in the form, from the first look to the import.
func TestWhatIsPastedStays(t *testing.T) {
	_, page := open(t, fakeapi.Sample(noon)).upload(t, "/campaigns/import?dry_run=true", false, nil, field{"comment", "as agreed"}, field{"text", badDocument})
	require.Equal(t, badDocument, value(t, page, "text"))
	require.Equal(t, "as agreed", value(t, page, "comment"))
}

// TestImportTellsTheScriptHowFarItIs while it is under way, and what to show at last.
func TestImportTellsTheScriptHowFarItIs(t *testing.T) {
	events := func(t *testing.T, body string) (all []importEvent) {
		t.Helper()
		for line := range strings.Lines(body) {
			var e importEvent
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			all = append(all, e)
		}
		return all
	}
	b := open(t, fakeapi.Sample(noon))
	answer, body := b.upload(t, "/campaigns/import", true, nil, field{"file", goodDocument})
	require.Equal(t, mediaLines, answer.Header.Get("Content-Type"))
	all := events(t, body)
	require.Len(t, all, 4)
	require.Equal(t, []string{apiv1.Receiving, apiv1.Checking, apiv1.Storing}, []string{all[0].Progress.Phase, all[1].Progress.Phase, all[2].Progress.Phase})
	require.Equal(t, "/revisions/41?done=imported", all[3].Redirect)

	answer, body = b.upload(t, "/campaigns/import?dry_run=true", true, nil, field{"file", badDocument})
	require.Equal(t, http.StatusOK, answer.StatusCode)
	all = events(t, body)
	page := all[len(all)-1].Page
	checkPage(t, page)
	require.Contains(t, visible(t, page), "32<b>two")
}

// TestWhoMayImport: the document of anybody else does not get to the API.
func TestWhoMayImport(t *testing.T) {
	api := fakeapi.Sample(noon)
	viewer := as(t, api, viewerToken)
	answer, page := viewer.upload(t, "/campaigns/import", false, nil, field{"file", goodDocument})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.NotContains(t, page, "imported")
	_, page = viewer.get(t, "/campaigns")
	require.NotContains(t, page, "/campaigns/import")
	require.Contains(t, page, `href="/api/v1/document"`)
	_, page = viewer.get(t, "/campaigns/import")
	require.Contains(t, visible(t, page), "may read but not change")

	operator := open(t, api)
	answer, _ = operator.upload(t, "/campaigns/import", false, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, field{"file", goodDocument})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	require.Empty(t, api.Writes())

	_, page = operator.get(t, "/campaigns/import")
	for _, words := range []string{`enctype="multipart/form-data"`, `name="comment"`, `name="text"`, `name="file"`} {
		require.Contains(t, page, words)
	}
	require.Less(t, strings.Index(page, `name="comment"`), strings.Index(page, `name="file"`), "what belongs to a document is known before it arrives")
	require.Less(t, strings.Index(page, `name="text"`), strings.Index(page, `name="file"`))
}

// TestAFirstLookWarns: what the API says of what would change is on the page.
func TestAFirstLookWarns(t *testing.T) {
	api := fakeapi.Sample(noon)
	api.Note = "The weights of a cycle <b> ask for too many turns."
	_, page := open(t, api).upload(t, "/campaigns/import?dry_run=true", false, nil, field{"file", goodDocument})
	require.Contains(t, visible(t, page), api.Note)
	api.Do(func(a *fakeapi.API) { a.Note = "" })
	_, page = open(t, api).upload(t, "/campaigns/import?dry_run=true", false, nil, field{"file", goodDocument})
	require.NotContains(t, visible(t, page), "weights")
}

// TestAnImportThatIsBrokenOff may have been made, and says so; a first look has not.
func TestAnImportThatIsBrokenOff(t *testing.T) {
	api := fakeapi.Sample(noon)
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/document" {
			api.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaLines)
		_, _ = io.WriteString(w, `{"progress":{"phase":"store","done":1,"total":2}}`+"\n")
		panic(http.ErrAbortHandler)
	}))
	answer, page := b.upload(t, "/campaigns/import", false, nil, field{"file", goodDocument})
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
	require.Contains(t, visible(t, page), "It is not known whether it was imported")
	_, page = b.upload(t, "/campaigns/import?dry_run=true", false, nil, field{"file", goodDocument})
	require.Contains(t, visible(t, page), "Nothing was changed")
}

// TestAnImportIsStreamed: the API has the beginning of a document whose end is not written yet, and the script hears of it.
func TestAnImportIsStreamed(t *testing.T) {
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/document" {
			first := make([]byte, len(goodDocument))
			if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != goodDocument {
				return
			}
			w.Header().Set("Content-Type", mediaLines)
			_, _ = io.WriteString(w, `{"progress":{"phase":"receive","done":7,"total":0}}`+"\n")
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"result":{"revision":41}}`+"\n")
			return
		}
		http.NotFound(w, r)
	}))
	media, form := formOf(t, field{"file", goodDocument + strings.Repeat(" ", 8<<10)})
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	heard := make(chan struct{})
	go func() {
		_, _ = out.Write(form[:len(form)-1024])
		select {
		case <-heard:
			_, _ = out.Write(form[len(form)-1024:])
			_ = out.Close()
		case <-t.Context().Done():
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) }) // so that a test that fails ends
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/campaigns/import", in)
	require.NoError(t, err)
	r.Header.Set("Content-Type", media)
	r.Header.Set("Accept", mediaLines)
	client := http.Client{Timeout: patience}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }() // whatever was read of it
	lines := bufio.NewReader(answer.Body)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, `{"progress":{"phase":"receive","done":7,"total":0}}`+"\n", line)
	close(heard)
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, `{"redirect":"/revisions/41?done=imported"}`+"\n", line)
}

// FuzzUpload: whatever the parts of a form are, it is one document and a short comment, or a word about what is wrong.
func FuzzUpload(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n{}\r\n--b--\r\n"), "multipart/form-data; boundary=b")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{}\r\n--b--"), "multipart/form-data; boundary=b")
	f.Add([]byte("a=b"), "application/x-www-form-urlencoded")
	f.Fuzz(func(t *testing.T, body []byte, media string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", media)
		u, err := readUpload(r)
		if err != nil {
			var refused *client.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, http.StatusBadRequest, refused.Status)
			return
		}
		require.NotNil(t, u.document)
		require.LessOrEqual(t, len([]rune(u.Comment)), apiv1.MaxComment)
		require.LessOrEqual(t, len(u.Pasted), maxPaste)
		_, _ = io.Copy(io.Discard, u.document)
	})
}
