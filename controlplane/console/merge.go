package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"adsidecar/controlplane/apiv1"
)

// conflict is what somebody else did since a form was filled in.
type conflict struct {
	Deleted  bool
	BySource bool            // the source's document did it
	By       *apiv1.Revision // who did it and when; nil: not known
	merged
}

// merged is a form after somebody else has changed its campaign.
type merged struct {
	// Values has what was typed, but theirs in the fields that were left as they were.
	Values url.Values
	Theirs []difference // the fields that are theirs now: Before is what the form began with, After what is there
	Both   []clash      // that both changed, to other values
	Same   bool         // nothing is left to save
}

// clash is a field that two people changed.
type clash struct {
	Label             string
	Was, There, Typed string // Was is empty where it is not known
}

// overtaken lays what was typed over what is there now. Who saves then has seen both, so the form goes on from what is there.
func (c *console) overtaken(r *http.Request, data *campaignData, found *apiv1.Conflict) {
	saw := &conflict{Deleted: found.Present == nil}
	data.Conflict = saw
	if found.Present == nil {
		saw.By = c.lastChange(r.Context(), data.ID)
		data.Form.ETag, data.Form.Was = "", ""
		return
	}
	if number := found.Present.Revision; number != 0 {
		if by, err := c.api.RevisionPage(r.Context(), number, "", 1); err == nil {
			saw.By = &by.Value.Revision
		}
	} else {
		saw.BySource = found.Present.Origin == apiv1.FromSource
	}
	var base url.Values
	if was := json.RawMessage(r.PostForm.Get("was")); fieldsOf(was) != nil {
		base = valuesOf(was)
	}
	present := valuesOf(found.Present.Campaign)
	saw.merged = merge(base, present, r.PostForm)
	data.Form = newForm(saw.Values, false)
	data.Form.tellSaved(present)
	data.Form.ETag, data.Form.Was = found.Present.ETag, string(found.Present.Campaign)
}

// merge lays what was typed into a form over what is there, both having begun from base. Without a base every field that differs was
// changed by both, as far as is known.
func merge(base, there, typed url.Values) merged {
	m := merged{Values: url.Values{}, Same: true}
	for name, values := range typed {
		m.Values[name] = slices.Clone(values)
	}
	was, now, mine := textsOf(base), textsOf(there), textsOf(typed)
	for _, in := range inputs {
		name := in.Name
		switch {
		case name == "id", now[name] == mine[name]:
		case mine[name] == was[name]: // never without a base
			m.Values[name] = there[name]
			m.Theirs = append(m.Theirs, difference{in.Label, was[name], now[name]})
		case now[name] == was[name]:
			m.Same = false
		default:
			m.Same = false
			m.Both = append(m.Both, clash{in.Label, was[name], now[name], mine[name]})
		}
	}
	return m
}

// defaults are the values that a field has which is left out.
var defaults = map[string]string{"enabled": "true", "priority": "0", "weight": "1", "time_zone": "UTC"}

// textsOf are the fields of a form for people, said alike whether a default was typed or left out.
func textsOf(values url.Values) map[string]string {
	texts := map[string]string{}
	if values == nil {
		return texts
	}
	campaign := campaignOf(values)
	for _, in := range inputs {
		texts[in.Name] = absent
		if text, ok := defaults[in.Name]; ok {
			texts[in.Name] = text
		}
		if value, there := campaign[in.Name]; there {
			text, _ := json.Marshal(value) // of texts, lists of them, numbers and booleans
			texts[in.Name] = inUTC(display(text))
		}
	}
	return texts
}

// lastChange is the newest revision of one campaign alone, as far as is looked; nil: none is known.
func (c *console) lastChange(ctx context.Context, id string) *apiv1.Revision {
	newest, err := c.api.RevisionsPage(ctx, "", maxLooked)
	if err != nil {
		return nil
	}
	for _, r := range newest.Value.Items { // the newest first
		if slices.Contains(r.FirstIDs, id) {
			return &r
		}
	}
	return nil
}
