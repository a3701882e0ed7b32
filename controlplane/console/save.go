package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"adsidecar/controlplane/apiv1"
)

func (c *console) createCampaign(r *http.Request) (*view, error) {
	return c.save(r, call{method: http.MethodPost, path: "/campaigns", header: commented(r)}, true)
}

func (c *console) saveCampaign(r *http.Request) (*view, error) {
	what := call{method: http.MethodPut, path: "/campaigns/" + segment(r.PostForm.Get("id")), header: commented(r)}
	matching(what.header, r.PostForm.Get("etag"))
	return c.save(r, what, false)
}

// matching makes a write depend on what the writer saw; with an empty etag that was nothing.
func matching(h http.Header, etag string) {
	if etag == "" {
		h.Set("If-None-Match", "*")
		return
	}
	h.Set("If-Match", etag)
}

// save writes what was typed. Whatever the API answers, nothing of it is lost: the form is shown with it.
func (c *console) save(r *http.Request, what call, isNew bool) (*view, error) {
	what.body = campaignOf(r.PostForm)
	var saved apiv1.Saved
	err := c.do(r, what, &saved)
	if err == nil {
		did := "saved"
		if isNew {
			did = "created"
		}
		return redirect(addressOf("/campaign", url.Values{"id": {r.PostForm.Get("id")}, "done": {did}})), nil
	}
	var answered *apiError
	if !errors.As(err, &answered) {
		return nil, err
	}
	data := campaignData{Form: newForm(r.PostForm, isNew)}
	if !isNew {
		if found, err := c.look(r, r.PostForm.Get("id")); err == nil {
			found.Form = data.Form
			data = found
		}
		data.ID = r.PostForm.Get("id")
	}
	switch answered.status {
	case http.StatusUnprocessableEntity:
		err = data.Form.refused(answered.body)
	case http.StatusPreconditionFailed:
		err = data.overtaken(r.PostForm, answered.body)
	default:
		err = nil
		data.Form.Errors = append(data.Form.Errors, answered.Message)
	}
	if err != nil {
		return nil, err
	}
	v := campaignView(data)
	v.Status = answered.status
	return v, nil
}

func (f *form) refused(body []byte) error {
	var invalid apiv1.Invalid
	if err := json.Unmarshal(body, &invalid); err != nil {
		return fmt.Errorf("decode findings: %w", err)
	}
	f.blame(invalid)
	return nil
}

// overtaken shows what is there beside what was typed. Who saves again then has seen both, so the form goes on from what is there.
func (d *campaignData) overtaken(typed url.Values, body []byte) error {
	var found apiv1.Conflict
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("decode conflict: %w", err)
	}
	d.Conflict = &conflict{Deleted: found.Present == nil}
	d.Form.ETag = ""
	if found.Present == nil {
		return nil
	}
	d.Form.ETag = found.Present.ETag
	// The canonical form leaves defaults out: through the form's values both sides say them alike.
	present, err := json.Marshal(campaignOf(valuesOf(found.Present.Campaign)))
	if err != nil {
		return fmt.Errorf("encode present campaign: %w", err)
	}
	mine, err := json.Marshal(campaignOf(typed))
	if err != nil {
		return fmt.Errorf("encode typed campaign: %w", err)
	}
	d.Conflict.Fields = differences(present, mine)
	return nil
}

// setEnabled pauses a campaign or lets it run. Of a source's campaign nothing else is changed by it.
func (c *console) setEnabled(enabled bool) func(*http.Request) (*view, error) {
	did := "paused"
	if enabled {
		did = "unpaused"
	}
	return func(r *http.Request) (*view, error) {
		what := call{
			method: http.MethodPatch, path: "/campaigns/" + segment(r.PostForm.Get("id")), header: commented(r),
			body: map[string]bool{"enabled": enabled},
		}
		what.header.Set("Content-Type", "application/merge-patch+json")
		matching(what.header, r.PostForm.Get("etag"))
		if err := c.do(r, what, nil); err != nil {
			return nil, err
		}
		return redirect(back(r, did)), nil
	}
}

// back is the page that a form of the campaigns was on.
func back(r *http.Request, did string) string {
	from, err := url.Parse(r.PostForm.Get("back"))
	if err != nil || from.Path != "/campaigns" || from.Host != "" || from.Scheme != "" {
		return addressOf("/campaign", url.Values{"id": {r.PostForm.Get("id")}, "done": {did}})
	}
	query := from.Query()
	query.Set("done", did)
	return addressOf("/campaigns", query)
}

func (c *console) deleteCampaign(r *http.Request) (*view, error) {
	what := call{method: http.MethodDelete, path: "/campaigns/" + segment(r.PostForm.Get("id")), header: commented(r)}
	matching(what.header, r.PostForm.Get("etag"))
	var saved apiv1.Saved
	if err := c.do(r, what, &saved); err != nil {
		return nil, err
	}
	did := "deleted"
	if saved.Campaign != nil { // of an override: the source's is there now
		did = "restored"
	}
	return redirect("/campaigns?done=" + did), nil
}
