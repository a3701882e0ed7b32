package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/internal/web"
)

// root is what all paths begin with.
const root = "/api/v1/"

// pattern is a path below root, with "*" for a segment that is an argument, and what answers each method.
type pattern struct {
	segments []string
	methods  map[string]endpoint
}

// endpoint answers a request, or returns the error to answer with.
type endpoint struct {
	handle func(c *call) error
	// lasting says that it may take longer than a request may, and sees to its end itself.
	lasting bool
}

func quick(handle func(*call) error) endpoint   { return endpoint{handle: handle} }
func lasting(handle func(*call) error) endpoint { return endpoint{handle: handle, lasting: true} }

func (s *server) routes() []pattern {
	table := map[string]map[string]endpoint{
		"campaigns":           {"GET": quick(s.listCampaigns), "POST": quick(s.createCampaign)},
		"campaigns/*":         {"GET": quick(s.getCampaign), "PUT": quick(s.replaceCampaign), "PATCH": quick(s.patchCampaign), "DELETE": quick(s.deleteCampaign)},
		"document":            {"GET": lasting(s.exportDocument), "POST": lasting(s.importDocument)},
		"revisions":           {"GET": quick(s.listRevisions)},
		"revisions/*":         {"GET": quick(s.getRevision)},
		"revisions/*/diff/*":  {"GET": quick(s.diffRevisions)},
		"revisions/*/revert":  {"POST": quick(s.revert)},
		"versions":            {"GET": quick(s.listVersions)},
		"versions/*":          {"GET": quick(s.getVersion)},
		"versions/*/diff/*":   {"GET": quick(s.diffVersions)},
		"versions/*/rollback": {"POST": quick(s.rollback)},
		"actions":             {"GET": quick(s.listActions)},
		"pin":                 {"GET": quick(s.getPin), "DELETE": quick(s.resume)},
		"held":                {"GET": quick(s.getHeld)},
		"held/*/confirm":      {"POST": quick(s.confirmHeld)},
		"held/*/refuse":       {"POST": quick(s.refuseHeld)},
		"source":              {"GET": quick(s.getSource)},
		"source/poll":         {"POST": quick(s.pollSource)},
		"explain":             {"GET": quick(s.explain)},
		"served":              {"GET": quick(s.served)},
		"coverage":            {"GET": quick(s.coverage)},
		"fleet":               {"GET": quick(s.fleet)},
		"summary":             {"GET": quick(s.getSummary)},
		"events":              {"GET": lasting(s.events)},
		"openapi.json":        {"GET": quick(s.document)},
	}
	patterns := make([]pattern, 0, len(table))
	for path, methods := range table {
		if get, ok := methods[http.MethodGet]; ok && path != "events" {
			methods[http.MethodHead] = get // net/http leaves the body out
		}
		patterns = append(patterns, pattern{segments: strings.Split(path, "/"), methods: methods})
	}
	return patterns
}

// match finds the pattern of a path as the client escaped it, and its arguments. Ids may have slashes and dots: nothing is cleaned.
func (s *server) match(escaped string) (map[string]endpoint, []string, bool) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok {
		return nil, nil, false
	}
	segments := strings.Split(rest, "/")
	for _, p := range s.patterns {
		if args, ok := p.match(segments); ok {
			return p.methods, args, true
		}
	}
	return nil, nil, false
}

func (p pattern) match(segments []string) ([]string, bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	var args []string
	for i, want := range p.segments {
		if want != "*" {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		arg, err := url.PathUnescape(segments[i])
		if err != nil || arg == "" {
			return nil, false
		}
		args = append(args, arg)
	}
	return args, true
}

// call is one request.
type call struct {
	*http.Request

	w    http.ResponseWriter
	s    *server
	who  string
	args []string // of the path
	dry  bool     // it only says what would change
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, w: w, s: s, who: access.From(r.Context()).Name}
	methods, args, ok := s.match(r.URL.EscapedPath())
	if !ok {
		c.refuse(errNoPath)
		return
	}
	c.args = args
	e, ok := methods[r.Method]
	if !ok {
		c.refuse(notAllowed(methods))
		return
	}
	if c.who == "" { // no guard in front: nobody may anything
		c.refuse(errNobody)
		return
	}
	if !c.reads() && web.Encoded(r.Header) {
		c.refuse(errEncoded)
		return
	}
	if !e.lasting {
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		c.Request = r.WithContext(ctx)
	}
	if err := e.handle(c); err != nil {
		c.refuse(err)
	}
}

func notAllowed(methods map[string]endpoint) error {
	var names []string
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	allow := strings.Join(names, ", ")
	p := newProblem(http.StatusMethodNotAllowed, "method_not_allowed", "Here only "+allow+" are allowed.")
	p.header = map[string]string{"Allow": allow}
	return p
}

// made logs a change that was made: who, what, which, and why, where somebody said so.
func (s *server) made(who, what, comment string, which ...zap.Field) {
	fields := append([]zap.Field{zap.String("who", who), zap.String("what", what)}, which...)
	if comment != "" {
		fields = append(fields, zap.String("comment", comment))
	}
	s.Audit.Info("change made", fields...)
}

// write answers with a body.
func (c *call) write(status int, v any) error {
	if err := web.Write(c.w, status, v); err != nil {
		c.s.Logger.Error("encode answer", zap.Error(err))
	}
	return nil
}

// done answers without a body.
func (c *call) done(status int) error {
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	return nil
}
