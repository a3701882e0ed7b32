package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/controlplane/compile"
)

// maxTurns is how much of a cycle is shown; the largest has 65,536 turns.
const maxTurns = 100

// turn is one answer that a game gets.
type turn struct {
	Number       int
	ID, VideoURL string
}

// share is an ad's part of the cycle.
type share struct {
	ID    string
	Turns int
}

// answers is what a game gets, in turn.
type answers struct {
	Turns  []turn
	More   int // turns that are not shown
	Of     int // turns
	Shares []share
}

// answersOf puts together the turns of a cycle, which has the place of each turn's ad.
func answersOf(ads []apiv1.ServedAd, cycle []int) (answers, error) {
	a := answers{Of: len(cycle)}
	for _, ad := range ads {
		a.Shares = append(a.Shares, share{ID: ad.ID})
	}
	for i, place := range cycle {
		if place < 0 || place >= len(ads) {
			return a, errors.New("the cycle has an ad that is not there")
		}
		a.Shares[place].Turns++
		if i < maxTurns {
			a.Turns = append(a.Turns, turn{i + 1, ads[place].ID, ads[place].VideoURL})
		}
	}
	a.More = a.Of - len(a.Turns)
	return a, nil
}

type previewData struct {
	Country, Lang, At string
	Failure           string
	Asked             bool
	Found             explanation
	Answers           answers
	// Now is what games get, where that is another version than what the campaigns give; nil: it is the same, or nothing is published.
	Now *answers
}

func (c *console) preview(r *http.Request) (*view, error) {
	query := r.URL.Query()
	asked := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	data := previewData{Country: asked("country"), Lang: asked("lang"), At: asked("at")}
	v := &view{Template: "preview.html", Title: "Preview", Section: "preview"}
	if data.Country == "" && data.Lang == "" {
		v.Data = data
		return v, nil
	}
	at, err := instantOf(data.At)
	var found explanation
	if err == nil {
		found, err = c.explained(r.Context(), data.Country, data.Lang, at)
	}
	var answered *client.Error
	if errors.As(err, &answered) && answered.Status < http.StatusInternalServerError && answered.Status != http.StatusNotFound {
		data.Failure, v.Status = answered.Message, answered.Status
		v.Data = data
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	data.Asked, data.Found, v.basis = true, found, found.Basis
	var ads []apiv1.ServedAd
	for _, ad := range found.Eligible {
		ads = append(ads, apiv1.ServedAd{ID: ad.ID, VideoURL: ad.VideoURL})
	}
	if data.Answers, err = answersOf(ads, found.Cycle); err != nil {
		return nil, fmt.Errorf("explanation: %w", err)
	}
	if found.Ahead && found.Version != "" {
		if data.Now, err = c.servedNow(r.Context(), data.Country, data.Lang, at); err != nil {
			return nil, err
		}
	}
	v.Data = data
	return v, nil
}

// servedNow is what Envoys answer; nil: what is published is not kept any more.
func (c *console) servedNow(ctx context.Context, country, lang string, at time.Time) (*answers, error) {
	a, err := c.api.Served(ctx, country, lang, at)
	var answered *client.Error
	if errors.As(err, &answered) && answered.Status == http.StatusNotFound {
		return nil, nil //nolint:nilnil // there is none, and that is no failure of the page
	}
	if err != nil {
		return nil, err
	}
	now, err := answersOf(a.Value.Ads, a.Value.Cycle)
	if err != nil {
		return nil, fmt.Errorf("what is served: %w", err)
	}
	return &now, nil
}

// explanation is what the API answers to /explain.
type explanation struct {
	compile.Explanation
	apiv1.Basis
}

// explained asks what a country and language get; at zero: now.
func (c *console) explained(ctx context.Context, country, lang string, at time.Time) (explanation, error) {
	var e explanation
	a, err := c.api.Explain(ctx, country, lang, at)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(a.JSON, &e); err != nil {
		return e, fmt.Errorf("decode explanation: %w", err)
	}
	return e, nil
}

// instantOf reads a time with an offset, or in UTC without one, as pages print times and browsers write them. Zero for an empty text.
func instantOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, strings.TrimSuffix(text, " UTC")); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &client.Error{
		Status: http.StatusBadRequest, Code: "invalid_at", Message: "The time must be one such as 2027-03-01 08:00, in UTC, or 2027-03-01T08:00:00+01:00.",
	}
}
