package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

type historyData struct {
	Versions    []apiv1.Version
	Served      string // the version that is published
	Revisions   []apiv1.Revision
	Next, First string
	From, To    uint64 // that the form of a comparison begins with
	Undone      map[uint64]uint64
	Actions     []apiv1.Action // the newest
	MoreActions bool
}

// maxActions is how many of the newest actions the history shows.
const maxActions = 10

func (c *console) history(r *http.Request) (*view, error) {
	versions, err := c.api.Versions(r.Context())
	if err != nil {
		return nil, err
	}
	revisions, err := c.api.RevisionsPage(r.Context(), cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	actions, err := c.api.ActionsPage(r.Context(), "", maxActions)
	if err != nil {
		return nil, err
	}
	data := historyData{
		Versions: versions.Value.Items, Revisions: revisions.Value.Items, Actions: actions.Value.Items, MoreActions: actions.Value.Next != "",
	}
	data.First, data.Next = around(r, nil, revisions.Value.Next)
	if data.Undone, err = c.undone(r.Context()); err != nil {
		return nil, err
	}
	if all := data.Revisions; len(all) > 0 {
		data.From, data.To = all[len(all)-1].Number-1, all[0].Number
	}
	for _, version := range versions.Value.Items {
		if version.Published {
			data.Served = version.Version
		}
	}
	return &view{Template: "history.html", Title: "History", Section: "history", Data: data}, nil
}

type actionsData struct {
	Actions     []apiv1.Action
	Next, First string
}

// actions shows all actions, in pages.
func (c *console) actions(r *http.Request) (*view, error) {
	answer, err := c.api.ActionsPage(r.Context(), cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	data := actionsData{Actions: answer.Value.Items}
	data.First, data.Next = around(r, nil, answer.Value.Next)
	return &view{Template: "actions.html", Title: "Rollbacks and decisions", Section: "history", Data: data}, nil
}

// maxLooked is among how many of the newest revisions it is looked for what undid another: as many as the API gives at once.
const maxLooked = 1000

// undone are the revisions that are undone, each with that which undid it. An undoing that is undone itself counts no more.
func (c *console) undone(ctx context.Context) (map[uint64]uint64, error) {
	newest, err := c.api.RevisionsPage(ctx, "", maxLooked)
	if err != nil {
		return nil, err
	}
	by := map[uint64]uint64{}
	for _, r := range newest.Value.Items { // the newest first
		if r.Reverts != 0 && by[r.Number] == 0 && by[r.Reverts] == 0 {
			by[r.Reverts] = r.Number
		}
	}
	return by, nil
}

type revisionData struct {
	apiv1.Revision
	UndoneBy  uint64 // 0: it is not, as far as is looked
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
	by, err := c.undone(r.Context())
	if err != nil {
		return nil, err
	}
	data := revisionData{Revision: answer.Value.Revision, UndoneBy: by[number]}
	data.First, data.Next = around(r, nil, answer.Value.Next)
	for _, change := range answer.Value.Items {
		data.Campaigns = append(data.Campaigns, changeOf(change.ID, change.Before, change.After))
	}
	return &view{Template: "revision.html", Title: "Revision " + r.PathValue("n"), Section: "history", Data: data}, nil
}

type revisionsDiffData struct {
	From, To    uint64
	Total       int
	Campaigns   []adChange
	Next, First string
}

// revisionsDiff shows what the revisions after one, 0 being before all, up to another changed in all.
func (c *console) revisionsDiff(r *http.Request) (*view, error) {
	asked := r.URL.Query()
	from, err := revisionNumber(asked.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := revisionNumber(asked.Get("to"))
	if err != nil {
		return nil, err
	}
	answer, err := c.api.RevisionsDiffPage(r.Context(), from, to, cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	data := revisionsDiffData{From: from, To: to, Total: answer.Value.Total}
	data.First, data.Next = around(r, url.Values{"from": {asked.Get("from")}, "to": {asked.Get("to")}}, answer.Value.Next)
	for _, change := range answer.Value.Items {
		data.Campaigns = append(data.Campaigns, changeOf(change.ID, change.Before, change.After))
	}
	return &view{Template: "revisionsdiff.html", Title: "Difference of two revisions", Section: "history", Data: data}, nil
}

func revisionNumber(text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, notFound("There is no such revision.")
	}
	return number, nil
}

func (c *console) revert(r *http.Request) (*view, error) {
	number, err := revisionNumber(r.PostForm.Get("n"))
	if err != nil {
		return nil, err
	}
	saved, err := c.api.Revert(r.Context(), number, comment(r))
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		if by, lookErr := c.undone(r.Context()); lookErr == nil && by[number] != 0 {
			err = &client.Error{
				Status: refused.Status, Code: "undone_already",
				Message: fmt.Sprintf("Revision %d is undone already, by revision %d.", number, by[number]),
			}
		}
	}
	return redirect(addressOf("/history", doneBy(url.Values{}, "reverted", saved.Value))), err
}

func (c *console) rollback(r *http.Request) (*view, error) {
	version := r.PostForm.Get("version")
	_, err := c.api.Rollback(r.Context(), version, comment(r))
	return redirect(addressOf("/history", url.Values{"done": {"rolled"}, "version": {version}})), err
}

func (c *console) resume(r *http.Request) (*view, error) {
	_, err := c.api.Resume(r.Context(), comment(r))
	return redirect("/history?done=resumed"), err
}
