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

// explain answers from what is in force, which is what is served unless a pin or a guard keeps it back.
func (s *server) explain(c *call) error {
	q, err := c.params("country", "lang", "at")
	if err != nil {
		return err
	}
	at := s.Now()
	if q.Has("at") {
		if at, err = time.Parse(time.RFC3339, q.Get("at")); err != nil {
			return badField("at", "at must be a time such as 2027-03-01T08:00:00Z.")
		}
	}
	for _, p := range []struct {
		name  string
		parse func(string) (string, error)
		rule  string
	}{{"country", campaign.ParseCountry, "two letters, such as us"}, {"lang", campaign.ParseLang, "two or three letters, such as en or eng"}} {
		if _, err := p.parse(q.Get(p.name)); err != nil {
			return badField(p.name, p.name+" must be "+p.rule+".")
		}
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	e, err := compile.ExplainOver(v.Document, v.Overridden, q.Get("country"), q.Get("lang"), at)
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
