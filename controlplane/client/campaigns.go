package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"

	"adsidecar/controlplane/apiv1"
)

// CampaignFilter chooses campaigns; an empty field chooses all.
type CampaignFilter struct {
	Country, Lang, State, Origin string
	Text                         string
}

// Campaigns lists campaigns in pages; limit 0: all.
func (c *Client) Campaigns(ctx context.Context, f CampaignFilter, limit int) iter.Seq2[Answer[apiv1.Page[apiv1.Campaign]], error] {
	return pages(limit, func(cursor string, limit int) (Answer[apiv1.Page[apiv1.Campaign]], error) {
		return c.CampaignPage(ctx, f, cursor, limit)
	}, func(p apiv1.Page[apiv1.Campaign]) (string, int) { return p.Next, len(p.Items) })
}

// CampaignPage returns the page of that list with at most limit campaigns after a cursor; empty: the first.
func (c *Client) CampaignPage(ctx context.Context, f CampaignFilter, cursor string, limit int) (Answer[apiv1.Page[apiv1.Campaign]], error) {
	q := query("country", f.Country, "lang", f.Lang, "state", f.State, "origin", f.Origin, "q", f.Text)
	return page[apiv1.Page[apiv1.Campaign]](ctx, c, "/campaigns", q, cursor, limit)
}

// Campaign returns one campaign.
func (c *Client) Campaign(ctx context.Context, id string) (Answer[apiv1.Campaign], error) {
	return ask[apiv1.Campaign](ctx, c, call{method: http.MethodGet, path: campaignPath(id)})
}

// CreateCampaign creates a campaign with the id that it names.
func (c *Client) CreateCampaign(ctx context.Context, campaign json.RawMessage, comment string) (Answer[apiv1.Saved], error) {
	return ask[apiv1.Saved](ctx, c, call{method: http.MethodPost, path: "/campaigns", body: campaign, comment: comment})
}

// PutCampaign creates a campaign, if etag is empty, or replaces the one that has this etag. Where that is not what is there, the error has
// a Conflict.
func (c *Client) PutCampaign(ctx context.Context, id string, campaign json.RawMessage, etag, comment string) (Answer[apiv1.Saved], error) {
	header := ifMatch(etag)
	if etag == "" {
		header = map[string]string{"If-None-Match": "*"}
	}
	return ask[apiv1.Saved](ctx, c, call{method: http.MethodPut, path: campaignPath(id), header: header, body: campaign, comment: comment})
}

// PatchCampaign applies a JSON merge patch to the campaign that has this etag.
func (c *Client) PatchCampaign(ctx context.Context, id string, patch json.RawMessage, etag, comment string) (Answer[apiv1.Saved], error) {
	r := call{method: http.MethodPatch, path: campaignPath(id), header: ifMatch(etag), body: patch, comment: comment}
	r.header["Content-Type"] = "application/merge-patch+json"
	return ask[apiv1.Saved](ctx, c, r)
}

// DeleteCampaign deletes the campaign that has this etag.
func (c *Client) DeleteCampaign(ctx context.Context, id, etag, comment string) (Answer[apiv1.Saved], error) {
	return ask[apiv1.Saved](ctx, c, call{method: http.MethodDelete, path: campaignPath(id), header: ifMatch(etag), comment: comment})
}

func campaignPath(id string) string { return "/campaigns/" + segment(id) }

// ifMatch takes an etag as the header has it or without its quotes.
func ifMatch(etag string) map[string]string {
	if !strings.HasPrefix(etag, `"`) && !strings.HasPrefix(etag, "W/") {
		etag = `"` + etag + `"`
	}
	return map[string]string{"If-Match": etag}
}
