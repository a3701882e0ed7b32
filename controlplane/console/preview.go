package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

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
	Found             compile.Explanation
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
	ask := url.Values{"country": {data.Country}, "lang": {data.Lang}}
	if data.At != "" {
		ask.Set("at", instantOf(data.At))
	}
	found, err := get[compile.Explanation](c, r, "/explain", ask)
	var answered *apiError
	if errors.As(err, &answered) && answered.status < http.StatusInternalServerError && answered.status != http.StatusNotFound {
		data.Failure, v.Status = answered.Message, answered.status
		v.Data = data
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	data.Asked, data.Found = true, found
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

// instantOf reads what browsers make of a time field, which has no offset: UTC. All else is the API's to judge.
func instantOf(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return text
}
