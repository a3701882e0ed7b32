package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"adsidecar/controlplane/apiv1"
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

func (c *console) dashboard(r *http.Request) (*view, error) {
	var data dashboardData
	var err error
	if data.served, err = get[served](c, r, "/status", nil); err != nil {
		return nil, err
	}
	if data.Fleet, err = get[apiv1.Fleet](c, r, "/fleet", nil); err != nil {
		return nil, err
	}
	for reason, count := range data.Rejected.ByReason {
		data.Reasons = append(data.Reasons, reasonCount{reason, count})
	}
	slices.SortFunc(data.Reasons, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return &view{Template: "dashboard.html", Title: "Dashboard", Section: "dashboard", Data: data}, nil
}

func (c *console) fleet(r *http.Request) (*view, error) {
	data, err := get[apiv1.Fleet](c, r, "/fleet", nil)
	return &view{Template: "fleet.html", Title: "Fleet", Section: "fleet", Data: data}, err
}

func (c *console) poll(r *http.Request) (*view, error) {
	return redirect("/?done=poll"), c.do(r, call{method: http.MethodPost, path: "/source/poll"}, nil)
}

// decideHeld confirms or refuses the version that a guard holds, by the version that was seen.
func (c *console) decideHeld(what string) func(*http.Request) (*view, error) {
	return func(r *http.Request) (*view, error) {
		path := "/held/" + segment(r.PostForm.Get("version")) + "/" + what
		return redirect("/?done=" + what), c.do(r, call{method: http.MethodPost, path: path, header: commented(r)}, nil)
	}
}
