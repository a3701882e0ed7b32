package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

// served is what is read of GET /status.
type served struct {
	Source struct {
		Kind                string    `json:"kind"`
		Location            string    `json:"location"`
		LastPoll            time.Time `json:"last_poll"`
		LastResult          string    `json:"last_result"`
		AgeSeconds          *float64  `json:"age_seconds"`
		Error               string    `json:"error"`
		ErrorSince          time.Time `json:"error_since"`
		ConsecutiveFailures int       `json:"consecutive_failures"`
		ServedFromDisk      bool      `json:"served_from_disk"`
	} `json:"source"`
	Index *struct {
		Version     string    `json:"version"`
		Bytes       int       `json:"bytes"`
		Ads         int       `json:"ads"`
		Keys        int       `json:"keys"`
		PublishedAt time.Time `json:"published_at"`
		CutCycles   int       `json:"cut_cycles"`
	} `json:"index"`
	Rejected struct {
		Total    int            `json:"total"`
		ByReason map[string]int `json:"by_reason"`
		First    []struct {
			Line   int    `json:"line"`
			ID     string `json:"id"`
			Field  string `json:"field"`
			Reason string `json:"reason"`
			Detail string `json:"detail"`
		} `json:"first"`
	} `json:"rejected"`
	PublishError string `json:"publish_error"`
}

type dashboardData struct {
	served
	Fleet   apiv1.Fleet
	Reasons []reasonCount
}

type reasonCount struct {
	Reason string
	Count  int
}

// status reads GET /status.
func (c *console) status(ctx context.Context) (served, error) {
	var s served
	a, err := c.api.Status(ctx)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(a.JSON, &s); err != nil {
		return s, fmt.Errorf("decode the status: %w", err)
	}
	return s, nil
}

func (c *console) dashboard(r *http.Request) (*view, error) {
	status, err := c.status(r.Context())
	if err != nil {
		return nil, err
	}
	fleet, err := c.api.Fleet(r.Context())
	if err != nil {
		return nil, err
	}
	data := dashboardData{served: status, Fleet: fleet.Value}
	for reason, count := range data.Rejected.ByReason {
		data.Reasons = append(data.Reasons, reasonCount{reason, count})
	}
	slices.SortFunc(data.Reasons, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return &view{Template: "dashboard.html", Title: "Dashboard", Section: "dashboard", Data: data}, nil
}

func (c *console) fleet(r *http.Request) (*view, error) {
	fleet, err := c.api.Fleet(r.Context())
	return &view{Template: "fleet.html", Title: "Fleet", Section: "fleet", Data: fleet.Value}, err
}

func (c *console) poll(r *http.Request) (*view, error) {
	_, err := c.api.Poll(r.Context())
	return redirect("/?done=poll"), err
}

// decideHeld confirms or refuses the version that a guard holds, by the version that was seen.
func (c *console) decideHeld(
	what string, decide func(c *client.Client, ctx context.Context, version, comment string) (client.Answer[client.None], error),
) func(*http.Request) (*view, error) {
	return func(r *http.Request) (*view, error) {
		version := r.PostForm.Get("version")
		_, err := decide(c.api, r.Context(), version, comment(r))
		return redirect(addressOf("/", url.Values{"done": {what}, "version": {version}})), err
	}
}
