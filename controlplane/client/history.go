package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"adsidecar/controlplane/apiv1"
)

// None is the value of an answer without a body.
type None struct{}

// Revisions lists the operators' changes in pages, the newest first; limit 0: all.
func (c *Client) Revisions(ctx context.Context, limit int) iter.Seq2[Answer[apiv1.Page[apiv1.Revision]], error] {
	return pages(limit, func(cursor string, limit int) (Answer[apiv1.Page[apiv1.Revision]], error) {
		return c.RevisionsPage(ctx, cursor, limit)
	}, func(p apiv1.Page[apiv1.Revision]) (string, int) { return p.Next, len(p.Items) })
}

// RevisionsPage returns the page of that list with at most limit revisions after a cursor; empty: the first.
func (c *Client) RevisionsPage(ctx context.Context, cursor string, limit int) (Answer[apiv1.Page[apiv1.Revision]], error) {
	return page[apiv1.Page[apiv1.Revision]](ctx, c, "/revisions", nil, cursor, limit)
}

// Revision returns one revision with its changes, in pages; limit 0: all.
func (c *Client) Revision(ctx context.Context, number uint64, limit int) iter.Seq2[Answer[apiv1.RevisionChanges], error] {
	return pages(limit, func(cursor string, limit int) (Answer[apiv1.RevisionChanges], error) {
		return c.RevisionPage(ctx, number, cursor, limit)
	}, func(p apiv1.RevisionChanges) (string, int) { return p.Next, len(p.Items) })
}

// RevisionPage returns the revision with the page of its changes that has at most limit after a cursor; empty: the first.
func (c *Client) RevisionPage(ctx context.Context, number uint64, cursor string, limit int) (Answer[apiv1.RevisionChanges], error) {
	return page[apiv1.RevisionChanges](ctx, c, revisionPath(number), nil, cursor, limit)
}

// RevisionsDiff says what the revisions after from, up to to, changed in all, in pages; limit 0: all.
func (c *Client) RevisionsDiff(ctx context.Context, from, to uint64, limit int) iter.Seq2[Answer[apiv1.RevisionsDiff], error] {
	return pages(limit, func(cursor string, limit int) (Answer[apiv1.RevisionsDiff], error) {
		return c.RevisionsDiffPage(ctx, from, to, cursor, limit)
	}, func(p apiv1.RevisionsDiff) (string, int) { return p.Next, len(p.Items) })
}

// RevisionsDiffPage returns the page of that list with at most limit changes after a cursor; empty: the first.
func (c *Client) RevisionsDiffPage(ctx context.Context, from, to uint64, cursor string, limit int) (Answer[apiv1.RevisionsDiff], error) {
	return page[apiv1.RevisionsDiff](ctx, c, revisionPath(from)+"/diff/"+strconv.FormatUint(to, 10), nil, cursor, limit)
}

// Revert makes a new revision that undoes one.
func (c *Client) Revert(ctx context.Context, number uint64, comment string) (Answer[apiv1.Saved], error) {
	return ask[apiv1.Saved](ctx, c, call{method: http.MethodPost, path: revisionPath(number) + "/revert", comment: comment})
}

func revisionPath(number uint64) string { return "/revisions/" + strconv.FormatUint(number, 10) }

// Actions lists rollbacks, their ends, and decisions on held versions in pages, the newest first; limit 0: all.
func (c *Client) Actions(ctx context.Context, limit int) iter.Seq2[Answer[apiv1.Page[apiv1.Action]], error] {
	return pages(limit, func(cursor string, limit int) (Answer[apiv1.Page[apiv1.Action]], error) {
		return c.ActionsPage(ctx, cursor, limit)
	}, func(p apiv1.Page[apiv1.Action]) (string, int) { return p.Next, len(p.Items) })
}

// ActionsPage returns the page of that list with at most limit actions after a cursor; empty: the first.
func (c *Client) ActionsPage(ctx context.Context, cursor string, limit int) (Answer[apiv1.Page[apiv1.Action]], error) {
	return page[apiv1.Page[apiv1.Action]](ctx, c, "/actions", nil, cursor, limit)
}

// Versions lists the published versions, the newest first.
func (c *Client) Versions(ctx context.Context) (Answer[apiv1.Page[apiv1.Version]], error) {
	return get[apiv1.Page[apiv1.Version]](ctx, c, "/versions")
}

// Version returns one of them; one that is not kept is an Error with the code version_not_found.
func (c *Client) Version(ctx context.Context, version string) (Answer[apiv1.Version], error) {
	return get[apiv1.Version](ctx, c, "/versions/"+segment(version))
}

// DiffVersions says what changes from version a to b.
func (c *Client) DiffVersions(ctx context.Context, a, b string) (Answer[apiv1.Diff], error) {
	return get[apiv1.Diff](ctx, c, "/versions/"+segment(a)+"/diff/"+segment(b))
}

// Rollback pins a version that was published. It does not wait until it is published again, which Summary tells.
func (c *Client) Rollback(ctx context.Context, version, comment string) (Answer[apiv1.Pin], error) {
	return ask[apiv1.Pin](ctx, c, call{method: http.MethodPost, path: "/versions/" + segment(version) + "/rollback", comment: comment})
}

// Resume takes the pin off. It does not wait for what follows from that.
func (c *Client) Resume(ctx context.Context, comment string) (Answer[None], error) {
	return ask[None](ctx, c, call{method: http.MethodDelete, path: "/pin", comment: comment})
}

// Held returns the version that a guard keeps back; without one it is an Error with the code nothing_held.
func (c *Client) Held(ctx context.Context) (Answer[apiv1.Held], error) {
	return get[apiv1.Held](ctx, c, "/held")
}

// ConfirmHeld decides that the held version is published. It does not wait for that.
func (c *Client) ConfirmHeld(ctx context.Context, version, comment string) (Answer[None], error) {
	return ask[None](ctx, c, call{method: http.MethodPost, path: "/held/" + segment(version) + "/confirm", comment: comment})
}

// RefuseHeld keeps the held version back until a newer one replaces it.
func (c *Client) RefuseHeld(ctx context.Context, version, comment string) (Answer[None], error) {
	return ask[None](ctx, c, call{method: http.MethodPost, path: "/held/" + segment(version) + "/refuse", comment: comment})
}

// Poll makes the control plane poll its source now. It does not wait for that.
func (c *Client) Poll(ctx context.Context) (Answer[None], error) {
	return ask[None](ctx, c, call{method: http.MethodPost, path: "/source/poll"})
}

// Fleet lists the Envoys.
func (c *Client) Fleet(ctx context.Context) (Answer[apiv1.Fleet], error) {
	return get[apiv1.Fleet](ctx, c, "/fleet")
}

// Summary returns in short what is published, and what keeps newer campaigns from it.
func (c *Client) Summary(ctx context.Context) (Answer[apiv1.Summary], error) {
	return get[apiv1.Summary](ctx, c, "/summary")
}

// Status returns everything about the present state: what GET /status answers, of which a caller decodes what it wants.
func (c *Client) Status(ctx context.Context) (Answer[json.RawMessage], error) {
	return get[json.RawMessage](ctx, c, "/status")
}

// CoverageOf says which coverage is asked for.
type CoverageOf struct {
	Day           string // such as 2027-03-01; empty: today
	Country, Lang string // * is that of keys for all; empty: all keys
	Published     bool   // of the published index, not of what the campaigns give now
}

// CoveragePage returns at most limit keys after a cursor, empty: the first.
func (c *Client) CoveragePage(ctx context.Context, of CoverageOf, cursor string, limit int) (Answer[apiv1.CoveragePage], error) {
	q := query("day", of.Day, "country", of.Country, "lang", of.Lang)
	if of.Published {
		q.Set("published", "true")
	}
	return page[apiv1.CoveragePage](ctx, c, "/coverage", q, cursor, limit)
}

// Served says what Envoys answer a country and language at a time, zero being now, from the published index.
func (c *Client) Served(ctx context.Context, country, lang string, at time.Time) (Answer[apiv1.Served], error) {
	return ask[apiv1.Served](ctx, c, call{method: http.MethodGet, path: "/served", query: adRequest(country, lang, at)})
}

// Explain says what a country and language get at a time, zero being now. The value is a compile.Explanation with the members of
// apiv1.Basis.
func (c *Client) Explain(ctx context.Context, country, lang string, at time.Time) (Answer[json.RawMessage], error) {
	return ask[json.RawMessage](ctx, c, call{method: http.MethodGet, path: "/explain", query: adRequest(country, lang, at)})
}

func adRequest(country, lang string, at time.Time) url.Values {
	when := ""
	if !at.IsZero() {
		when = at.UTC().Format(time.RFC3339)
	}
	return query("country", country, "lang", lang, "at", when)
}

func get[T any](ctx context.Context, c *Client, path string) (Answer[T], error) {
	return ask[T](ctx, c, call{method: http.MethodGet, path: path})
}
