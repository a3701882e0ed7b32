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
	Number int
	compile.Ad
}

// share is an ad's part of the cycle.
type share struct {
	compile.Ad
	Turns int
}

type previewData struct {
	Country, Lang, At string
	Failure           string
	Asked             bool
	Found             explanation
	Turns             []turn
	More              int // turns that are not shown
	Shares            []share
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
	for _, ad := range found.Eligible {
		data.Shares = append(data.Shares, share{Ad: ad})
	}
	for i, place := range found.Cycle {
		if place < 0 || place >= len(data.Shares) {
			return nil, errors.New("explanation: the cycle has an ad that is not eligible")
		}
		data.Shares[place].Turns++
		if i < maxTurns {
			data.Turns = append(data.Turns, turn{i + 1, found.Eligible[place]})
		}
	}
	data.More = len(found.Cycle) - len(data.Turns)
	v.Data = data
	return v, nil
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
