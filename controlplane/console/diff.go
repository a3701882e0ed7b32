package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

const (
	// maxDiff is how many ads of a diff are shown.
	maxDiff = 200
	// maxParts is for how many countries, and languages, a diff is counted.
	maxParts = 20
)

// shownDiff is a diff for people: how much it is first, then the first of its ads.
type shownDiff struct {
	apiv1.Diff
	Ads       int // of the diff that the API named, of which Countries and Langs are counted
	Countries []part
	Langs     []part
	Campaigns []adLine
	More      int // ads that are not among them
}

// Total is how many ads the diff adds, changes and removes.
func (d shownDiff) Total() int { return d.Added + d.Changed + d.Removed }

// part is how much of a diff is of one country or language.
type part struct {
	Code                    string // as a campaign has it; empty: not known
	Added, Changed, Removed int
}

func (p *part) total() int { return p.Added + p.Changed + p.Removed }

// adLine is an ad of a diff on one line.
type adLine struct {
	adChange
	Ad document // as it is after the change, or was before it was removed
}

func showDiff(d apiv1.Diff) shownDiff {
	shown := shownDiff{Diff: d, Ads: len(d.Ads)}
	countries, langs := map[string]*part{}, map[string]*part{}
	for i, ad := range d.Ads {
		line := lineOf(ad)
		count(countries, line.Ad.Country, line.Kind)
		count(langs, line.Ad.Lang, line.Kind)
		if i < maxDiff {
			shown.Campaigns = append(shown.Campaigns, line)
		}
	}
	shown.Countries, shown.Langs = largest(countries), largest(langs)
	shown.More = shown.Total() - len(shown.Campaigns)
	return shown
}

func lineOf(ad apiv1.AdChange) adLine {
	line := adLine{adChange: changeOf(ad.ID, ad.Before, ad.After)}
	state := ad.After
	if client.Absent(state) {
		state = ad.Before
	}
	_ = json.Unmarshal(state, &line.Ad) // what cannot be read is not known
	return line
}

func count(parts map[string]*part, code, kind string) {
	code = strings.ToLower(code)
	p := parts[code]
	if p == nil {
		p = &part{Code: code}
		parts[code] = p
	}
	switch kind {
	case "added":
		p.Added++
	case "removed":
		p.Removed++
	default:
		p.Changed++
	}
}

// largest are the parts with the most ads.
func largest(parts map[string]*part) []part {
	all := make([]part, 0, len(parts))
	for _, p := range parts {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b part) int { return cmp.Or(cmp.Compare(b.total(), a.total()), strings.Compare(a.Code, b.Code)) })
	return all[:min(len(all), maxParts)]
}

type versionDiffData struct {
	shownDiff
	From, To string
	Before   int // ads of From; 0: not known
}

// Share is the part of From's ads that To has no more.
func (d versionDiffData) Share() float64 {
	if d.Before == 0 {
		return 0
	}
	return float64(d.Removed) / float64(d.Before)
}

func (c *console) versionDiff(r *http.Request) (*view, error) {
	data := versionDiffData{From: r.URL.Query().Get("from"), To: r.URL.Query().Get("to")}
	answer, err := c.api.DiffVersions(r.Context(), data.From, data.To)
	if err != nil {
		return nil, err
	}
	data.shownDiff = showDiff(answer.Value)
	if from, err := c.api.Version(r.Context(), data.From); err == nil {
		data.Before = from.Value.Ads
	} // else the share is not known
	return &view{Template: "versiondiff.html", Title: "Difference of two versions", Section: "history", Data: data}, nil
}
