package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

func (c *console) createCampaign(r *http.Request) (*view, error) {
	return c.save(r, true, func(campaign json.RawMessage) error {
		_, err := c.api.CreateCampaign(r.Context(), campaign, comment(r))
		return err
	})
}

// saveCampaign replaces what the form was filled in from; with an empty etag that was nothing.
func (c *console) saveCampaign(r *http.Request) (*view, error) {
	return c.save(r, false, func(campaign json.RawMessage) error {
		_, err := c.api.PutCampaign(r.Context(), r.PostForm.Get("id"), campaign, r.PostForm.Get("etag"), comment(r))
		return err
	})
}

// save writes what was typed. Whatever the API answers, nothing of it is lost: the form is shown with it.
func (c *console) save(r *http.Request, isNew bool, write func(campaign json.RawMessage) error) (*view, error) {
	campaign, err := json.Marshal(campaignOf(r.PostForm))
	if err != nil {
		return nil, fmt.Errorf("encode campaign: %w", err)
	}
	if err = write(campaign); err == nil {
		did := "saved"
		if isNew {
			did = "created"
		}
		return redirect(addressOf("/campaign", url.Values{"id": {r.PostForm.Get("id")}, "done": {did}})), nil
	}
	var refused *client.Error
	if !errors.As(err, &refused) {
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
	switch {
	case refused.Conflict != nil:
		if err := data.overtaken(r.PostForm, refused.Conflict); err != nil {
			return nil, err
		}
	case len(refused.Fields) > 0:
		data.Form.blame(refused.Fields)
	case refused.Code == "campaign_exists":
		data.Form.Exists = r.PostForm.Get("id")
	default:
		data.Form.Errors = append(data.Form.Errors, refused.Message)
	}
	v := campaignView(data)
	v.Status = refused.Status
	return v, nil
}

// overtaken shows what is there beside what was typed. Who saves again then has seen both, so the form goes on from what is there.
func (d *campaignData) overtaken(typed url.Values, found *apiv1.Conflict) error {
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
	patch := json.RawMessage(fmt.Sprintf(`{"enabled":%t}`, enabled))
	return func(r *http.Request) (*view, error) {
		saved, err := c.api.PatchCampaign(r.Context(), r.PostForm.Get("id"), patch, r.PostForm.Get("etag"), comment(r))
		if err != nil {
			return nil, err
		}
		if now := saved.Value.Campaign; enabled && now != nil && now.State == apiv1.Paused {
			return redirect(back(r, "still")), nil
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
	saved, err := c.api.DeleteCampaign(r.Context(), r.PostForm.Get("id"), r.PostForm.Get("etag"), comment(r))
	if err != nil {
		return nil, err
	}
	did := "deleted"
	if saved.Value.Campaign != nil { // of an override: the source's is there now
		did = "restored"
	}
	return redirect("/campaigns?done=" + did), nil
}
