package console

import (
	"net/http"
	"net/url"

	"adsidecar/controlplane/apiv1"
)

type historyData struct {
	Versions    []apiv1.Version
	Served      string // the version that is published
	Revisions   []apiv1.Revision
	Next, First string
}

func (c *console) history(r *http.Request) (*view, error) {
	versions, err := get[apiv1.Page[apiv1.Version]](c, r, "/versions", nil)
	if err != nil {
		return nil, err
	}
	revisions, err := paged[apiv1.Revision](c, r, "/revisions", nil)
	if err != nil {
		return nil, err
	}
	data := historyData{Versions: versions.Items, Revisions: revisions.Items, Next: revisions.next, First: revisions.first}
	for _, version := range versions.Items {
		if version.Published {
			data.Served = version.Version
		}
	}
	return &view{Template: "history.html", Title: "History", Section: "history", Data: data}, nil
}

type revisionData struct {
	apiv1.Revision
	Campaigns []adChange
	Next      string
	First     string
}

func (c *console) revision(r *http.Request) (*view, error) {
	query := url.Values{"limit": {pageSize}}
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	found, err := get[apiv1.RevisionChanges](c, r, "/revisions/"+segment(r.PathValue("n")), query)
	if err != nil {
		return nil, err
	}
	data := revisionData{Revision: found.Revision}
	if cursor != "" {
		data.First = r.URL.Path
	}
	if found.Next != "" {
		data.Next = addressOf(r.URL.Path, url.Values{"cursor": {found.Next}})
	}
	for _, change := range found.Items {
		data.Campaigns = append(data.Campaigns, changeOf(change.ID, change.Before, change.After))
	}
	return &view{Template: "revision.html", Title: "Revision " + r.PathValue("n"), Section: "history", Data: data}, nil
}

type versionDiffData struct {
	apiv1.Diff
	From, To  string
	Campaigns []adChange
	More      int
}

func (c *console) versionDiff(r *http.Request) (*view, error) {
	data := versionDiffData{From: r.URL.Query().Get("from"), To: r.URL.Query().Get("to")}
	var err error
	if data.Diff, err = get[apiv1.Diff](c, r, "/versions/"+segment(data.From)+"/diff/"+segment(data.To), nil); err != nil {
		return nil, err
	}
	data.Campaigns = changesOf(data.Ads)
	data.More = data.Added + data.Changed + data.Removed - len(data.Ads)
	return &view{Template: "versiondiff.html", Title: "Difference of two versions", Section: "history", Data: data}, nil
}

func (c *console) revert(r *http.Request) (*view, error) {
	what := call{method: http.MethodPost, path: "/revisions/" + segment(r.PostForm.Get("n")) + "/revert", header: commented(r)}
	return redirect("/history?done=reverted"), c.do(r, what, nil)
}

func (c *console) rollback(r *http.Request) (*view, error) {
	what := call{
		method: http.MethodPost, path: "/versions/" + segment(r.PostForm.Get("version")) + "/rollback",
		body: apiv1.Comment{Comment: r.PostForm.Get("comment")},
	}
	return redirect("/history?done=rolled"), c.do(r, what, nil)
}

func (c *console) resume(r *http.Request) (*view, error) {
	return redirect("/history?done=resumed"), c.do(r, call{method: http.MethodDelete, path: "/pin", header: commented(r)}, nil)
}
