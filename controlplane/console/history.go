package console

import (
	"net/http"
	"strconv"

	"adsidecar/controlplane/apiv1"
)

type historyData struct {
	Versions    []apiv1.Version
	Served      string // the version that is published
	Revisions   []apiv1.Revision
	Next, First string
}

func (c *console) history(r *http.Request) (*view, error) {
	versions, err := c.api.Versions(r.Context())
	if err != nil {
		return nil, err
	}
	revisions, err := c.api.RevisionsPage(r.Context(), cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	data := historyData{Versions: versions.Value.Items, Revisions: revisions.Value.Items}
	data.First, data.Next = around(r, nil, revisions.Value.Next)
	for _, version := range versions.Value.Items {
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
	number, err := revisionNumber(r.PathValue("n"))
	if err != nil {
		return nil, err
	}
	answer, err := c.api.RevisionPage(r.Context(), number, cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	data := revisionData{Revision: answer.Value.Revision}
	data.First, data.Next = around(r, nil, answer.Value.Next)
	for _, change := range answer.Value.Items {
		data.Campaigns = append(data.Campaigns, changeOf(change.ID, change.Before, change.After))
	}
	return &view{Template: "revision.html", Title: "Revision " + r.PathValue("n"), Section: "history", Data: data}, nil
}

func revisionNumber(text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, notFound("There is no such revision.")
	}
	return number, nil
}

type versionDiffData struct {
	shownDiff
	From, To string
}

// shownDiff is a diff with the first of its ads for people.
type shownDiff struct {
	apiv1.Diff
	Campaigns []adChange
	More      int // ads that are not among them
}

// maxDiff is how many ads of a diff are shown.
const maxDiff = 200

func showDiff(d apiv1.Diff) shownDiff {
	ads := d.Ads[:min(len(d.Ads), maxDiff)]
	return shownDiff{Diff: d, Campaigns: changesOf(ads), More: d.Added + d.Changed + d.Removed - len(ads)}
}

func (c *console) versionDiff(r *http.Request) (*view, error) {
	data := versionDiffData{From: r.URL.Query().Get("from"), To: r.URL.Query().Get("to")}
	answer, err := c.api.DiffVersions(r.Context(), data.From, data.To)
	if err != nil {
		return nil, err
	}
	data.shownDiff = showDiff(answer.Value)
	return &view{Template: "versiondiff.html", Title: "Difference of two versions", Section: "history", Data: data}, nil
}

func (c *console) revert(r *http.Request) (*view, error) {
	number, err := revisionNumber(r.PostForm.Get("n"))
	if err != nil {
		return nil, err
	}
	_, err = c.api.Revert(r.Context(), number, comment(r))
	return redirect("/history?done=reverted"), err
}

func (c *console) rollback(r *http.Request) (*view, error) {
	_, err := c.api.Rollback(r.Context(), r.PostForm.Get("version"), comment(r))
	return redirect("/history?done=rolled"), err
}

func (c *console) resume(r *http.Request) (*view, error) {
	_, err := c.api.Resume(r.Context(), comment(r))
	return redirect("/history?done=resumed"), err
}
