package api

import (
	"net/http"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// explained is the answer to /explain.
type explained struct {
	compile.Explanation
	apiv1.Basis
}

// basis says how what is published stands to what is in force by a view, or to the candidate where that is nil.
func (s *server) basis(v *view) apiv1.Basis {
	b := apiv1.Basis{Ahead: true}
	index, candidate := s.Publisher.Status().Index, s.Publisher.View()
	if index == nil {
		return b
	}
	b.Version = index.Version
	if candidate != nil && candidate.Index != nil && candidate.Index.Version == b.Version {
		b.Ahead = v != nil && (candidate.Rows != v.rows || candidate.Source != v.Source)
	}
	return b
}

// adRequest is what a game asks, in canonical form, and when.
type adRequest struct {
	country, lang string
	at            time.Time
}

// asked reads country, lang and at, by default now, which are all of the query.
func (c *call) asked(now time.Time) (adRequest, error) {
	asked := adRequest{at: now}
	q, err := c.params("country", "lang", "at")
	if err != nil {
		return asked, err
	}
	if q.Has("at") {
		if asked.at, err = time.Parse(time.RFC3339, q.Get("at")); err != nil {
			return asked, badField("at", "at must be a time such as 2027-03-01T08:00:00Z.")
		}
		if err := compile.CheckMinute(asked.at); err != nil {
			return asked, badField("at", err.Error()+".")
		}
	}
	for _, p := range []struct {
		name  string
		value *string
		parse func(string) (string, error)
		rule  string
	}{
		{"country", &asked.country, campaign.ParseCountry, "two letters, such as us"},
		{"lang", &asked.lang, campaign.ParseLang, "two or three letters, such as en or eng"},
	} {
		if *p.value, err = p.parse(q.Get(p.name)); err != nil {
			return asked, badField(p.name, p.name+" must be "+p.rule+".")
		}
	}
	return asked, nil
}

// explain answers from what is in force, which is what is served unless a pin or a guard keeps it back.
func (s *server) explain(c *call) error {
	asked, err := c.asked(s.Now())
	if err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	e, err := compile.ExplainOver(v.Document, v.Overridden, asked.country, asked.lang, asked.at)
	if err != nil {
		return badField("", strings.TrimSuffix(err.Error(), ".")+".")
	}
	return c.write(http.StatusOK, explained{e, s.basis(v)})
}

func (s *server) getSource(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	return c.write(http.StatusOK, s.Publisher.Status().Source)
}

func (s *server) pollSource(c *call) error {
	if _, err := c.command(); err != nil {
		return err
	}
	s.Publisher.PollNow()
	return c.done(http.StatusAccepted)
}
