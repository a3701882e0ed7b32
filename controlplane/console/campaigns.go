package console

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/zone"
)

// pageSize is how much a list shows at once.
const pageSize = 50

// row is a campaign in a list.
type row struct {
	apiv1.Campaign
	Fields document
}

func newRow(campaign apiv1.Campaign) (row, error) {
	r := row{Campaign: campaign}
	err := json.Unmarshal(campaign.Campaign, &r.Fields)
	return r, err
}

type campaignsData struct {
	Filter   url.Values
	Filtered bool
	Rows     []row
	Total    int
	Next     string // address of the following page
	First    string // address of the first page; empty: this is it
	States   []string
}

// filters are the parameters of the list that the API has too.
var filters = []string{"q", "country", "lang", "state", "origin"}

func (c *console) campaigns(r *http.Request) (*view, error) {
	asked := r.URL.Query()
	filter := url.Values{}
	for _, name := range filters {
		if value := asked.Get(name); value != "" {
			filter.Set(name, value)
		}
	}
	data := campaignsData{
		Filter: filter, Filtered: len(filter) > 0,
		States: []string{apiv1.Running, apiv1.Scheduled, apiv1.Paused, apiv1.Ended, apiv1.Shadowed},
	}
	page, err := c.api.CampaignPage(r.Context(), client.CampaignFilter{
		Country: filter.Get("country"), Lang: filter.Get("lang"), State: filter.Get("state"), Origin: filter.Get("origin"), Text: filter.Get("q"),
	}, cursorOf(r), pageSize)
	if err != nil {
		return nil, err
	}
	data.Total = page.Value.Total
	data.First, data.Next = around(r, filter, page.Value.Next)
	for _, campaign := range page.Value.Items {
		found, err := newRow(campaign)
		if err != nil {
			return nil, err
		}
		data.Rows = append(data.Rows, found)
	}
	return &view{Template: "campaigns.html", Title: "Campaigns", Section: "campaigns", Data: data}, nil
}

// cursorOf is where the page of a list begins that r asks for; empty: at its beginning.
func cursorOf(r *http.Request) string { return r.URL.Query().Get("cursor") }

// around are the addresses of the first page of a list, empty where this is it, and of the next, empty where there is none.
func around(r *http.Request, filter url.Values, cursor string) (first, next string) {
	if cursorOf(r) != "" {
		first = addressOf(r.URL.Path, filter)
	}
	if cursor != "" {
		query := maps.Clone(filter)
		if query == nil {
			query = url.Values{}
		}
		query.Set("cursor", cursor)
		next = addressOf(r.URL.Path, query)
	}
	return first, next
}

func addressOf(path string, query url.Values) string {
	return (&url.URL{Path: path, RawQuery: query.Encode()}).String()
}

type campaignData struct {
	row
	apiv1.Basis
	Form form
	// Why it is or is not served now, of one for many keys as far as that is so for all of them.
	Served  bool
	Turns   int // of Cycle
	Cycle   int
	Reason  string
	Instead []compile.Ad
	// Example is a key that the campaign is for, of one for many.
	ExampleCountry, ExampleLang string

	AgainstSource []difference // of an override
	Conflict      *conflict
	Zones         []string
}

func (c *console) newCampaign(*http.Request) (*view, error) {
	values := url.Values{"enabled": {"on"}, "start_hour": {"0"}, "end_hour": {"24"}}
	return campaignView(campaignData{Form: newForm(values, true)}), nil
}

func campaignView(data campaignData) *view {
	title := "New campaign"
	if !data.Form.New {
		title = data.ID
	}
	data.Zones = zone.Names()
	return &view{Template: "campaign.html", Title: title, Section: "campaigns", Data: data, basis: data.Basis}
}

func (c *console) campaign(r *http.Request) (*view, error) {
	id := r.URL.Query().Get("id")
	data, err := c.look(r, id)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		if by := c.lastChange(r.Context(), id); by != nil {
			return nil, &goneError{id, *by}
		}
	}
	if err != nil {
		return nil, err
	}
	data.Form = fill(data.Campaign)
	return campaignView(data), nil
}

// look finds a campaign with what becomes of it.
func (c *console) look(r *http.Request, id string) (campaignData, error) {
	answer, err := c.api.Campaign(r.Context(), id)
	if err != nil {
		return campaignData{}, err
	}
	found, data := answer.Value, campaignData{}
	if data.row, err = newRow(found); err != nil {
		return data, err
	}
	if found.Overrides && !client.Absent(found.Source) {
		data.AgainstSource = differences(found.Source, found.Campaign)
	}
	return data, c.explain(r, &data)
}

// ofNoKey are the reasons that do not depend on the key.
var ofNoKey = map[string]bool{
	compile.ReasonPaused: true, compile.ReasonBeforeFlight: true, compile.ReasonAfterFlight: true, compile.ReasonWrongDay: true,
	compile.ReasonOutOfHours: true, compile.ReasonOverridden: true,
}

// explain asks why the campaign is or is not served now. One for many keys is asked of one of them, for what does not depend on the key.
func (c *console) explain(r *http.Request, data *campaignData) error {
	country, lang := data.Fields.Country, data.Fields.Lang
	many := country == "*" || lang == "*"
	if country == "*" {
		country = "us"
	}
	if lang == "*" {
		lang = "eng"
	}
	if many {
		data.ExampleCountry, data.ExampleLang = country, lang
	}
	found, err := c.explained(r.Context(), country, lang, time.Time{})
	var answered *client.Error
	if errors.As(err, &answered) {
		return nil // the campaign can be shown and changed without
	}
	if err != nil {
		return err
	}
	data.Basis = found.Basis
	for _, waiting := range found.Waiting {
		if theirs := data.Origin == apiv1.FromOperator && waiting.Reason == compile.ReasonOverridden; theirs {
			continue // the source’s, that it replaces
		}
		if waiting.ID == data.ID && (!many || ofNoKey[waiting.Reason]) {
			data.Reason = waiting.Reason
		}
	}
	if many {
		return nil
	}
	data.Cycle = len(found.Cycle)
	for place, ad := range found.Eligible {
		if ad.ID != data.ID {
			data.Instead = append(data.Instead, ad)
			continue
		}
		data.Served, data.Reason = true, ""
		for _, turn := range found.Cycle {
			if turn == place {
				data.Turns++
			}
		}
	}
	return nil
}
