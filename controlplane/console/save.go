package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

func (c *console) createCampaign(r *http.Request) (*view, error) {
	return c.save(r, true, func(campaign json.RawMessage) (client.Answer[apiv1.Saved], error) {
		return c.api.CreateCampaign(r.Context(), campaign, comment(r))
	})
}

// saveCampaign replaces what the form was filled in from; with an empty etag that was nothing.
func (c *console) saveCampaign(r *http.Request) (*view, error) {
	return c.save(r, false, func(campaign json.RawMessage) (client.Answer[apiv1.Saved], error) {
		return c.api.PutCampaign(r.Context(), r.PostForm.Get("id"), campaign, r.PostForm.Get("etag"), comment(r))
	})
}

// save writes what was typed. Whatever the API answers, nothing of it is lost: the form is shown with it.
func (c *console) save(
	r *http.Request, isNew bool, write func(campaign json.RawMessage) (client.Answer[apiv1.Saved], error),
) (*view, error) {
	campaign, err := json.Marshal(campaignOf(r.PostForm))
	if err != nil {
		return nil, fmt.Errorf("encode campaign: %w", err)
	}
	saved, err := write(campaign)
	if err == nil {
		did := "saved"
		if isNew {
			did = "created"
		}
		return redirect(addressOf("/campaign", doneBy(url.Values{"id": {r.PostForm.Get("id")}}, did, saved.Value))), nil
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
		c.overtaken(r, &data, refused.Conflict)
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

// doneBy adds to an address what was done, and its revision.
func doneBy(query url.Values, did string, saved apiv1.Saved) url.Values {
	query.Set("done", did)
	query.Del("revision")
	if saved.Revision != 0 {
		query.Set("revision", strconv.FormatUint(saved.Revision, 10))
	}
	return query
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
			return redirect(back(r, "still", saved.Value)), nil
		}
		return redirect(back(r, did, saved.Value)), nil
	}
}

// back is the page that a form of the campaigns was on.
func back(r *http.Request, did string, saved apiv1.Saved) string {
	from, err := url.Parse(r.PostForm.Get("back"))
	if err != nil || from.Path != "/campaigns" || from.Host != "" || from.Scheme != "" {
		return addressOf("/campaign", doneBy(url.Values{"id": {r.PostForm.Get("id")}}, did, saved))
	}
	return addressOf("/campaigns", doneBy(from.Query(), did, saved))
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
	return redirect(addressOf("/campaigns", doneBy(url.Values{}, did, saved.Value))), nil
}
