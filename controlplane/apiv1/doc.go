// Package apiv1 has the bodies of the control plane's HTTP API, version 1: what its server, controlplane/api, answers and its clients, the
// command line and the console, read. It holds no behaviour.
//
// Paths begin with /api/v1. Errors have the shape of internal/web.Error. Times are RFC 3339 in UTC; where a minute is meant, its beginning.
// Lists come in pages: Next is the cursor of the following page, empty at the end.
//
//	GET    /campaigns?country=&lang=&state=&origin=&q=&limit=&cursor=   Page[Campaign], by id; shadowed ones with state=shadowed alone
//	POST   /campaigns                     campaign document fields → 201 Saved, ETag, Location
//	GET    /campaigns/{id}                Campaign, ETag
//	PUT    /campaigns/{id}                whole campaign → Saved; If-Match, or If-None-Match: *
//	PATCH  /campaigns/{id}                JSON merge patch (RFC 7396) of its fields → Saved; {"enabled":false} alone on a source campaign only pauses it
//	DELETE /campaigns/{id}                → Saved; of an override: the source's is back, which Saved says
//	GET    /document                      export: {"ads":[…]}, what is in force, streamed; ?origin=operator for the operators' alone
//	POST   /document?dry_run=true         import {"ads":[…]}: adds and replaces operators' campaigns → Imported; or lines of ImportEvent,
//	                                      with "Accept: application/x-ndjson"
//	GET    /revisions?limit=&cursor=      Page[Revision], newest first
//	GET    /revisions/{n}?limit=&cursor=  RevisionChanges
//	GET    /revisions/{a}/diff/{b}        RevisionsDiff, a < b; ?limit=&cursor=
//	POST   /revisions/{n}/revert          Comment, optional → Saved, a new revision; 412 Conflict where it was changed since
//	GET    /versions                      Page[Version], newest first, always all
//	GET    /versions/{version}            Version
//	GET    /versions/{a}/diff/{b}         Diff
//	POST   /versions/{version}/rollback   Comment, optional → Pin
//	GET    /actions?limit=&cursor=        Page[Action], newest first
//	GET    /pin                           Pin; 404 not_pinned
//	DELETE /pin                           resume → 204; 404 not_pinned
//	GET    /held                          Held; 404 nothing_held
//	POST   /held/{version}/confirm        → 204
//	POST   /held/{version}/refuse         → 204
//	GET    /source                        as in /status
//	POST   /source/poll                   → 202
//	GET    /explain?country=&lang=&at=    compile.Explanation with the members of Basis
//	GET    /coverage?day=&limit=&cursor=  CoveragePage, worst first
//	GET    /fleet                         Fleet
//	GET    /status                        everything on one page, as in earlier versions
//	GET    /summary                       Summary
//	GET    /events                        server-sent events: "status" with Summary whenever it changes
//	GET    /openapi.json                  this, as an OpenAPI document
//	GET    /session POST /session DELETE /session   sign-in, see controlplane/access
//
// If-Match is optional for PUT, PATCH and DELETE of a campaign, and honoured: without it the last writer wins. So it is for an import, where it
// has the Base of a dry run in quotes: 412 Conflict if somebody has changed, since then, a campaign that the import would change. A change that asks for what is
// there already is answered with the present state and makes no revision. A change after which what is in force could not be compiled is
// refused, with 422 index_too_large or key_too_large. After 503 store_unavailable or timeout to a write, the change may have been made.
//
// Writes take an optional header X-Comment, at most 1,000 characters, percent-encoded UTF-8: why the change was made.
package apiv1
