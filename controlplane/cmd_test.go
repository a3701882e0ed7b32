package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

var update = flag.Bool("update", false, "write the transcripts anew")

type commandCase struct {
	args    string
	stdin   string
	replies map[string]reply
}

// TestCommands compares what each command asks, prints and ends with to its transcript in testdata/commands.
func TestCommands(t *testing.T) {
	getSpring := reply{200, springBy}
	zone, half := 12.5, 0.5
	const (
		shaNew  = "1f0c93d2a5b60123456789abcdef0123"
		shaOld  = "1f0c93ffffffffffffffffffffffffff"
		shaHeld = "77d0e1c4f9280123456789abcdef0123"
	)
	pinned := reply{200, apiv1.Summary{Version: "v3", Pin: &apiv1.Pin{Version: "v3", Who: "kim", Comment: hostile, Waiting: "v4"}}}
	heldBack := reply{200, apiv1.Summary{Version: "v3", Held: &apiv1.Held{Version: "v4", Base: "v3", Reason: "max_removed_share"}}}
	known := reply{200, page(apiv1.Version{Version: shaNew, Published: true}, apiv1.Version{Version: shaOld})}
	cases := map[string]commandCase{
		"list": {args: "campaigns list", replies: map[string]reply{"GET /campaigns?limit=500": {200, page(springBy, night)}}},
		"list with every filter": {
			args:    "campaigns list --country us --lang * --state paused --origin source -q x --limit 1",
			replies: map[string]reply{"GET /campaigns?country=us&lang=%2A&limit=1&origin=source&q=x&state=paused": {200, apiv1.Page[apiv1.Campaign]{Items: []apiv1.Campaign{night}, Next: "n", Total: 9}}},
		},
		"list of several pages": {args: "campaigns list", replies: map[string]reply{
			"GET /campaigns?limit=500":          {200, apiv1.Page[apiv1.Campaign]{Items: []apiv1.Campaign{springBy}, Next: "n", Total: 2}},
			"GET /campaigns?cursor=n&limit=500": {200, apiv1.Page[apiv1.Campaign]{Items: []apiv1.Campaign{night}, Total: 2}},
		}},
		"list of nothing":           {args: "campaigns list", replies: map[string]reply{"GET /campaigns?limit=500": {200, `{"items":[],"total":0}`}}},
		"list as JSON":              {args: "campaigns list -o json", replies: map[string]reply{"GET /campaigns?limit=500": {200, "{\"items\":[],\"total\":0,\n \"of_a_later_server\":\"\u009b\u202e\U000E0001\"}\n"}}},
		"list below zero":           {args: "campaigns list --limit -1"},
		"get":                       {args: "campaigns get spring", replies: map[string]reply{"GET /campaigns/spring": getSpring}},
		"get as JSON":               {args: "campaigns get spring -o json", replies: map[string]reply{"GET /campaigns/spring": getSpring}},
		"get one that is not there": {args: "campaigns get spring", replies: map[string]reply{"GET /campaigns/spring": refusal(404, "campaign_not_found", "There is no such campaign.")}},
		"get nothing":               {args: "campaigns get"},
		"get an empty ID":           {args: "campaigns get |"},
		"apply a new campaign": {args: "campaigns apply -f - --comment spring~sale", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": refusal(404, "campaign_not_found", "There is no such campaign."), "PUT /campaigns/spring": {201, apiv1.Saved{Revision: 8}},
		}},
		"apply over a campaign": {args: "campaigns apply -f -", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": getSpring, "PUT /campaigns/spring": {200, saved},
		}},
		"apply what get printed": {args: "campaigns apply -f -", stdin: `{"id":"spring","etag":"\"5-old\"","campaign":{"id":"spring","weight":3}}`, replies: map[string]reply{
			"PUT /campaigns/spring": {412, conflict},
		}},
		"apply over a campaign that was deleted": {args: "campaigns apply -f -", stdin: `{"etag":"\"5-old\"","campaign":{"id":"spring"}}`, replies: map[string]reply{
			"PUT /campaigns/spring": {412, apiv1.Conflict{Message: "It was deleted.", Code: "revision_conflict"}},
		}},
		"apply what is there": {args: "campaigns apply -f -", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": getSpring, "PUT /campaigns/spring": {200, apiv1.Saved{Revision: 7, Note: "Nothing changed."}},
		}},
		"apply what get printed unchanged": {
			args: "campaigns apply -f -", stdin: `{"id":"spring","etag":"\"5-old\"","revision":5,"campaign":{"id":"spring"}}`,
			replies: map[string]reply{"PUT /campaigns/spring": {200, apiv1.Saved{Revision: 5}}},
		},
		"apply as JSON": {args: "campaigns apply -f - -o json", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": getSpring, "PUT /campaigns/spring": {200, `{"revision":8}`},
		}},
		"apply without being able to look": {args: "campaigns apply -f -", stdin: string(spring), replies: map[string]reply{"GET /campaigns/spring": refusal(500, "internal", "An internal error happened.")}},
		"apply an invalid campaign": {args: "campaigns apply -f -", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": getSpring,
			"PUT /campaigns/spring": {422, apiv1.Invalid{Message: "The campaign is not valid.", Code: "invalid_campaign", Fields: []apiv1.FieldError{{Field: "weight", Code: "out_of_range", Message: "must be 1 to 100, is 0"}}}},
		}},
		"apply a document": {args: "campaigns apply -f - --comment all", stdin: `{"ads":[{"id":"a"}]}`, replies: map[string]reply{
			"POST /document": {200, apiv1.Imported{Revision: 8, Diff: diffed}},
		}},
		"apply a document that changes nothing": {args: "campaigns apply -f -", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {200, apiv1.Imported{}}}},
		"apply with its progress": {args: "campaigns apply -f - -v", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {200, lined{
			`{"progress":{"phase":"receive","done":1500000,"total":3000000}}`, `{"progress":{"phase":"receive","done":3000000,"total":3000000}}`,
			`{"progress":{"phase":"check","done":100,"total":0}}`, `{"progress":{"phase":"store","done":50,"total":100}}`,
			`{"progress":{"phase":"\u001b[31m","done":50,"total":100}}`, `{"result":{"dry_run":false,"revision":8,"diff":{}}}`,
		}}}},
		"apply with its progress as JSON": {args: "campaigns apply -f - -v -o json", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {200, lined{
			`{"progress":{"phase":"check","done":1,"total":2}}`, `{"result":{"dry_run":false,"revision":8,"diff":{}}}`,
		}}}},
		"apply an invalid document with its progress": {args: "campaigns apply -f - -v", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {200, lined{
			`{"progress":{"phase":"check","done":1,"total":2}}`,
			`{"error":{"status":422,"body":{"message":"The document has invalid campaigns.","code":"invalid_document","fields":[{"field":"lang","code":"missing_field","message":"is missing","row":2,"line":14,"id":"a"}]}}}`,
		}}}},
		"apply and hear nothing more": {args: "campaigns apply -f - -v", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {200, lined{`{"progress":{"phase":"store","done":1,"total":2}}`}}}},
		"delete two that changed": {args: "campaigns delete night spring", replies: map[string]reply{
			"GET /campaigns/night": {200, night}, "DELETE /campaigns/night": refusal(409, "from_source", "This campaign comes from the source and cannot be deleted here, but paused."),
			"GET /campaigns/spring": getSpring, "DELETE /campaigns/spring": {412, conflict},
		}},
		"delete one that changed and one that is not there": {args: "campaigns delete night spring", replies: map[string]reply{
			"GET /campaigns/night": {200, night}, "DELETE /campaigns/night": refusal(409, "from_source", "This campaign comes from the source and cannot be deleted here, but paused."),
			"GET /campaigns/spring": refusal(404, "campaign_not_found", "There is no such campaign."),
		}},
		"apply an invalid document": {args: "campaigns apply -f -", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document": {422, invalid}}},
		"dry run of a document":     {args: "campaigns apply -f - --dry-run", stdin: `{"ads":[]}`, replies: map[string]reply{"POST /document?dry_run=true": {200, apiv1.Imported{DryRun: true, Base: 41, Diff: diffed}}}},
		"dry run of a flight far ahead": {args: "campaigns apply -f - --dry-run", stdin: `{"ads":[]}`, replies: map[string]reply{
			"POST /document?dry_run=true": {200, apiv1.Imported{DryRun: true, Base: 41, Diff: apiv1.Diff{Added: 1, KeysLater: 3, BytesBefore: 1000, BytesAfter: 1000}}},
		}},
		"dry run of a campaign":          {args: "campaigns apply -f - --dry-run -o json", stdin: `{"id":"a"}`, replies: map[string]reply{"POST /document?dry_run=true": {200, `{"dry_run":true}`}}},
		"dry run of what has a revision": {args: "campaigns apply -f - --dry-run --if-revision 7", stdin: `{"ads":[]}`},
		"apply what a dry run showed": {args: "campaigns apply -f - --if-revision 41", stdin: `{"ads":[{"id":"a"}]}`, replies: map[string]reply{
			"POST /document": {200, apiv1.Imported{Revision: 42, Base: 41, Diff: diffed}},
		}},
		"apply one campaign that a dry run showed": {args: "campaigns apply -f - --if-revision 0", stdin: `{"id":"a"}`, replies: map[string]reply{
			"POST /document": {200, apiv1.Imported{Revision: 1, Diff: diffed}},
		}},
		"apply what a dry run showed and get printed": {args: "campaigns apply -f - --if-revision 41", stdin: `{"etag":"\"5-old\"","campaign":{"id":"spring"}}`},
		"apply what a dry run showed and others have changed": {args: "campaigns apply -f - --if-revision 41", stdin: `{"ads":[]}`, replies: map[string]reply{
			"POST /document": {412, apiv1.Conflict{
				Message: "Somebody else has changed it.", Code: "revision_conflict", IDs: []string{"spring", hostile}, Present: &springBy, Changed: conflict.Changed[:1],
			}},
		}},
		"apply no JSON":                  {args: "campaigns apply -f -", stdin: `ads:`},
		"apply another JSON":             {args: "campaigns apply -f -", stdin: `{"campaigns":[]}`},
		"apply what has no etag":         {args: "campaigns apply -f -", stdin: `{"campaign":{"id":"a"}}`},
		"apply a file that is not there": {args: "campaigns apply -f no.json"},
		"apply nothing":                  {args: "campaigns apply"},
		"delete two": {args: "campaigns delete night spring --comment over", replies: map[string]reply{
			"GET /campaigns/night": {200, night}, "DELETE /campaigns/night": refusal(409, "from_source", "This campaign comes from the source and cannot be deleted here, but paused."),
			"GET /campaigns/spring": getSpring, "DELETE /campaigns/spring": {200, saved},
		}},
		"delete nothing":       {args: "campaigns delete"},
		"pause":                {args: "campaigns pause night", replies: map[string]reply{"GET /campaigns/night": {200, night}, "PATCH /campaigns/night": {200, apiv1.Saved{Revision: 9}}}},
		"unpause":              {args: "campaigns unpause night -o json", replies: map[string]reply{"GET /campaigns/night": {200, night}, "PATCH /campaigns/night": {200, apiv1.Saved{Revision: 9}}}},
		"export":               {args: "campaigns export --origin operator", replies: map[string]reply{"GET /document?origin=operator": {200, "{\"ads\":[\n]}\n"}}},
		"no campaigns command": {args: "campaigns nope"},
		"diff of a file":       {args: "diff -f -", stdin: string(spring), replies: map[string]reply{"POST /document?dry_run=true": {200, apiv1.Imported{DryRun: true, Diff: diffed}}}},
		"diff of two versions": {args: "diff v1 v2", replies: map[string]reply{"GET /versions/v1/diff/v2": {200, diffed}}},
		"diff of one version":  {args: "diff v1"},
		"diff of both":         {args: "diff -f - v1"},
		"history": {args: "history", replies: map[string]reply{"GET /revisions?limit=20": {200, page(
			apiv1.Revision{Number: 8, At: evening, Who: "local:kim", Kind: "revert", Reverts: 7, Changes: 1, FirstIDs: []string{"spring"}, Changed: 1},
			apiv1.Revision{Number: 7, At: evening, Who: hostile, Comment: hostile, Kind: "pause", Changes: 1, FirstIDs: []string{hostile}, Added: 1},
			apiv1.Revision{Number: 6, At: evening, Who: "kim", Kind: "import", Changes: 100, FirstIDs: []string{"ad-1", "ad-2", "ad-3"}, Added: 100},
			apiv1.Revision{Number: 5, At: evening, Who: "kim", Kind: "edit", Changes: 3, FirstIDs: []string{"a", "b", "c"}, Changed: 3},
			apiv1.Revision{Number: 4, At: evening, Who: "kim", Comment: "before campaigns were named", Kind: "edit", Changes: 2})}}},
		"history of actions": {args: "history --actions", replies: map[string]reply{"GET /actions?limit=20": {200, page(
			apiv1.Action{Number: 4, Kind: "resume", Version: shaOld, Who: "local:kim", At: evening.Add(time.Hour)},
			apiv1.Action{Number: 3, Kind: "rollback", Version: shaOld, Who: hostile, Comment: hostile, At: evening},
			apiv1.Action{Number: 2, Kind: "confirm", Version: shaNew, Base: shaOld, Who: "kim", Comment: "the winter campaigns are over", At: evening},
			apiv1.Action{Number: 1, Kind: "refuse", Version: shaHeld, Who: "kim", At: evening})}}},
		"history of no actions":            {args: "history --actions --limit 0", replies: map[string]reply{"GET /actions?limit=500": {200, page[apiv1.Action]()}}},
		"history of actions as JSON":       {args: "history --actions --limit 1 -o json", replies: map[string]reply{"GET /actions?limit=1": {200, `{"items":[{"number":1,"kind":"refuse"}],"total":1}`}}},
		"history of actions of a revision": {args: "history --actions 8"},
		"history of nothing":               {args: "history --limit 0", replies: map[string]reply{"GET /revisions?limit=500": {200, page[apiv1.Revision]()}}},
		"history of a revision": {args: "history 8", replies: map[string]reply{"GET /revisions/8?limit=500": {200, apiv1.RevisionChanges{
			Revision: apiv1.Revision{Number: 8, At: evening, Who: "kim", Comment: "why", Kind: "edit", Changes: 3},
			Page: page(apiv1.RevisionChange{ID: hostile, After: spring}, apiv1.RevisionChange{ID: "b", Before: spring},
				apiv1.RevisionChange{ID: "c", Before: json.RawMessage(`{"id":"c"}`), After: json.RawMessage(`{"id":"c","enabled":false}`)}),
		}}}},
		"history between two revisions": {args: "history 0 8", replies: map[string]reply{
			"GET /revisions/0/diff/8?limit=500": {200, apiv1.RevisionsDiff{To: 8, Page: apiv1.Page[apiv1.RevisionChange]{
				Items: []apiv1.RevisionChange{{ID: hostile, After: spring}, {ID: "b", Before: spring}}, Next: "n", Total: 3,
			}}},
			"GET /revisions/0/diff/8?cursor=n&limit=500": {200, apiv1.RevisionsDiff{To: 8, Page: apiv1.Page[apiv1.RevisionChange]{
				Items: []apiv1.RevisionChange{{ID: "c", Before: json.RawMessage(`{"id":"c"}`), After: json.RawMessage(`{"id":"c","weight":3}`)}}, Total: 3,
			}}},
		}},
		"the first change between two revisions": {args: "history 7 8 --limit 1", replies: map[string]reply{
			"GET /revisions/7/diff/8?limit=1": {200, apiv1.RevisionsDiff{From: 7, To: 8, Page: apiv1.Page[apiv1.RevisionChange]{
				Items: []apiv1.RevisionChange{{ID: "b", Before: spring}}, Next: "n", Total: 3,
			}}},
		}},
		"history between two revisions as JSON": {args: "history 7 8 -o json", replies: map[string]reply{"GET /revisions/7/diff/8?limit=500": {200, `{"from":7,"to":8,"items":[],"total":0}`}}},
		"history between two that are alike":    {args: "history 7 8", replies: map[string]reply{"GET /revisions/7/diff/8?limit=500": {200, apiv1.RevisionsDiff{From: 7, To: 8, Page: page[apiv1.RevisionChange]()}}}},
		"history backwards":                     {args: "history 8 7"},
		"history from no number":                {args: "history x 7"},
		"history of three":                      {args: "history 1 2 3"},
		"history of no number":                  {args: "history first"},
		"revert":                                {args: "revert 7 --comment why", replies: map[string]reply{"POST /revisions/7/revert": {200, saved}}},
		"revert revision 0":                     {args: "revert 0"},
		"versions": {args: "versions", replies: map[string]reply{"GET /versions": {200, page(
			apiv1.Version{Version: "v3", PublishedAt: evening, Document: "0123456789abcdef", Revision: 8, Ads: 5, Keys: 4, Bytes: 900, Rejected: 1, CutCycles: 12, Published: true},
			apiv1.Version{Version: "v2", PublishedAt: evening, Published: true, Pinned: true}, apiv1.Version{Version: "v1"}, apiv1.Version{Version: "v0", Pinned: true})}}},
		"a version": {args: "versions v3", replies: map[string]reply{"GET /versions/v3": {200, apiv1.Version{
			Version: "v3", PublishedAt: evening, Document: "0123456789abcdef", SourceTime: evening, Revision: 8, Ads: 5, Keys: 4, Bytes: 900, Published: true,
			Rejected: 3, RejectedByReason: map[string]int{"out_of_range": 2, hostile: 1}, CutCycles: 12, TimeZones: "2026a",
			Cuts: []apiv1.Cut{{Key: "us/eng", Ads: 656, Turns: 64881, Uncut: 65537}, {Key: hostile, Ads: 1}},
		}}}},
		"a version by its beginning that tells little": {args: "versions 1f0c93d2", replies: map[string]reply{
			"GET /versions": known, "GET /held": refusal(404, "nothing_held", "Nothing is held."), "GET /versions/" + shaNew: {200, apiv1.Version{Version: shaNew, Rejected: 1}},
		}},
		"a version as JSON":          {args: "versions v3 -o json", replies: map[string]reply{"GET /versions/v3": {200, `{"version":"v3"}`}}},
		"a version that is not kept": {args: "versions v0", replies: map[string]reply{"GET /versions/v0": refusal(404, "version_not_found", "This version is not kept.")}},
		"two versions":               {args: "versions v0 v1"},
		"dry run that makes weights smaller": {args: "campaigns apply -f - --dry-run", stdin: `{"ads":[]}`, replies: map[string]reply{
			"POST /document?dry_run=true": {200, apiv1.Imported{DryRun: true, Base: 41, Diff: diffed, Note: "Weights are made smaller: " + hostile}},
		}},
		"versions of nothing": {args: "versions", replies: map[string]reply{"GET /versions": {200, page[apiv1.Version]()}}},
		"rollback": {args: "rollback v1 --comment why", replies: map[string]reply{
			"POST /versions/v1/rollback": {200, apiv1.Pin{Version: "v1", Who: hostile, At: evening}}, "GET /summary": {200, apiv1.Summary{Version: "v1", Pin: &apiv1.Pin{Version: "v1"}}},
		}},
		"rollback as JSON": {args: "rollback v1 -o json", replies: map[string]reply{"POST /versions/v1/rollback": {200, `{"version":"v1"}`}}},
		"rollback to one that cannot be published": {args: "rollback v1", replies: map[string]reply{
			"POST /versions/v1/rollback": {200, apiv1.Pin{Version: "v1", Who: "kim", At: evening}},
			"GET /summary":               {200, apiv1.Summary{Version: "v3", Pin: &apiv1.Pin{Version: "v1", Error: "it cannot be read: " + hostile}}},
		}},
		"rollback without being able to look": {args: "rollback v1", replies: map[string]reply{
			"POST /versions/v1/rollback": {200, apiv1.Pin{Version: "v1", Who: "kim", At: evening}}, "GET /summary": refusal(403, "forbidden", "Not for you."),
		}},
		"rollback to one that is not kept": {args: "rollback v0", replies: map[string]reply{"POST /versions/v0/rollback": refusal(404, "version_not_found", "This version is not kept.")}},
		"resume":                           {args: "resume", replies: map[string]reply{"DELETE /pin": {204, nil}}},
		"resume as JSON":                   {args: "resume -o json", replies: map[string]reply{"DELETE /pin": {204, nil}}},
		"rollback to a version by its beginning": {args: "rollback 1f0c93d2a5b6", replies: map[string]reply{
			"GET /versions": known, "GET /held": {200, apiv1.Held{Version: shaHeld}}, "POST /versions/" + shaNew + "/rollback": {200, apiv1.Pin{Version: shaNew, Who: "kim"}},
			"GET /summary": {200, apiv1.Summary{Version: shaNew}},
		}},
		"rollback to one of several that begin so": {args: "rollback 1f0c93", replies: map[string]reply{"GET /versions": known}},
		"rollback to one that nobody knows":        {args: "rollback 1f0c94", replies: map[string]reply{"GET /versions": known}},
		"rollback to too short a beginning":        {args: "rollback 1f0c9", replies: map[string]reply{"GET /versions": known}},
		"diff of two versions by their beginnings": {args: "diff 1f0c93d2 77d0e1c4f928", replies: map[string]reply{
			"GET /versions": known, "GET /held": {200, apiv1.Held{Version: shaHeld}}, "GET /versions/" + shaNew + "/diff/" + shaHeld: {200, diffed},
		}},
		"versions of whole names": {args: "versions", replies: map[string]reply{"GET /versions": known}},
		"confirm by a beginning": {args: "held confirm 77d0e1c4f928", replies: map[string]reply{
			"GET /held": {200, apiv1.Held{Version: shaHeld}}, "POST /held/" + shaHeld + "/confirm": {204, nil}, "GET /summary": {200, apiv1.Summary{Version: shaHeld}},
		}},
		"refuse another than is held": {args: "held refuse 1f0c93d2a5b6", replies: map[string]reply{
			"GET /held": {200, apiv1.Held{Version: shaHeld}}, "POST /held/1f0c93d2a5b6/refuse": refusal(409, "not_held", "Another version is held by now, or none: look again."),
		}},
		"held": {args: "held", replies: map[string]reply{"GET /held": {200, apiv1.Held{Version: "v9", Since: evening, Reason: "max_removed_share", Message: "It removes too much.", Removed: 6, Served: 10, Share: 0.6, Limit: half}}}},
		"held and refused": {args: "held", replies: map[string]reply{"GET /held": {200, apiv1.Held{
			Version: "v9", Base: "v8", Since: evening, Reason: "revision_lost", Message: "The operators' store is at revision 0.", Refused: true,
			RefusedBy: "kim", Comment: hostile, DecidedAt: evening,
		}}}},
		"held but nothing":                {args: "held", replies: map[string]reply{"GET /held": refusal(404, "nothing_held", "Nothing is held.")}},
		"held but nothing as JSON":        {args: "held -o json", replies: map[string]reply{"GET /held": refusal(404, "nothing_held", "Nothing is held.")}},
		"held of a server without guards": {args: "held", replies: map[string]reply{"GET /held": refusal(404, "not_found", "There is nothing here.")}},
		"confirm":                         {args: "held confirm v9 --comment why", replies: map[string]reply{"POST /held/v9/confirm": {204, nil}, "GET /summary": {200, apiv1.Summary{Version: "v9"}}}},
		"refuse":                          {args: "held refuse v9", replies: map[string]reply{"POST /held/v9/refuse": {204, nil}}},
		"confirm nothing":                 {args: "held confirm"},
		"poll":                            {args: "poll", replies: map[string]reply{"POST /source/poll": {202, nil}}},
		"fleet": {args: "fleet", replies: map[string]reply{"GET /summary": {200, apiv1.Summary{}}, "GET /fleet": {200, apiv1.Fleet{Version: "v3", InSync: 1, Behind: 1, Gone: 1, Envoys: []apiv1.Envoy{
			{Node: "eu-1", Address: "10.0.0.1:5", Connected: true, Since: evening, Rates: &apiv1.Rates{Served: 1234.56, NoAd: 0.04}, Types: []apiv1.OfType{
				{Type: "listeners", Version: "l1", InSync: true, Since: evening, LastAckAge: &zone}, {Type: "index", Version: "v3", InSync: true, Since: evening, LastAckAge: &zone},
			}},
			{Node: hostile, Address: "10.0.0.2:5", Connected: true, Since: evening, Types: []apiv1.OfType{
				{Type: "index", Version: "v2", Since: evening, LastNack: evening, NackText: "no\n" + hostile, Rejecting: true}, {Type: "clusters", Since: evening},
			}},
			{Node: "eu-3", Address: "10.0.0.3:5", Since: evening},
			{Node: "eu-4", Address: "10.0.0.4:5", Since: evening, Connected: true},
		}}}}},
		"fleet behind a pin and a guard": {args: "fleet", replies: map[string]reply{
			"GET /fleet": {200, apiv1.Fleet{Version: "v3"}},
			"GET /summary": {200, apiv1.Summary{
				Version:  "v3",
				Pin:      &apiv1.Pin{Version: "v3", Who: hostile, Comment: "no ads in France", Waiting: "v4"},
				Held:     &apiv1.Held{Version: "v4", Base: "v3", Reason: "max_removed_share", Refused: true, RefusedBy: "kim", Comment: "ask sales"},
				Revision: 9, CompiledRevision: 7, RevisionError: "index: 65 MiB are more than 64 MiB",
			}},
		}},
		"fleet behind a pin that is not in force": {args: "fleet", replies: map[string]reply{
			"GET /fleet":   {200, apiv1.Fleet{Version: "v3"}},
			"GET /summary": {200, apiv1.Summary{Version: "v3", Pin: &apiv1.Pin{Version: "v1", Who: "kim", Comment: "why", Waiting: "v4", Error: hostile}}},
		}},
		"fleet behind a pin that is on its way": {args: "fleet", replies: map[string]reply{
			"GET /fleet": {200, apiv1.Fleet{}}, "GET /summary": {200, apiv1.Summary{Pin: &apiv1.Pin{Version: "v1", Who: "kim"}}},
		}},
		"fleet while a version is held": {args: "fleet", replies: map[string]reply{
			"GET /fleet":   {200, apiv1.Fleet{Version: "v3"}},
			"GET /summary": {200, apiv1.Summary{Held: &apiv1.Held{Version: "v4", Reason: "revision_lost"}, Revision: 9, CompiledRevision: 8}},
		}},
		"apply under a pin": {args: "campaigns apply -f -", stdin: string(spring), replies: map[string]reply{
			"GET /campaigns/spring": getSpring, "PUT /campaigns/spring": {200, apiv1.Saved{Revision: 8}}, "GET /summary": pinned,
		}},
		"apply a document as JSON under a pin": {args: "campaigns apply -f - -o json", stdin: `{"ads":[{"id":"a"}]}`, replies: map[string]reply{
			"POST /document": {200, `{"revision":8}`}, "GET /summary": pinned,
		}},
		"delete one of two while a version is held": {args: "campaigns delete night spring", replies: map[string]reply{
			"GET /campaigns/night": {200, night}, "DELETE /campaigns/night": {200, apiv1.Saved{Revision: 8}}, "GET /summary": heldBack,
		}},
		"revert what could not be compiled": {args: "revert 7", replies: map[string]reply{
			"POST /revisions/7/revert": {200, apiv1.Saved{Revision: 8}},
			"GET /summary":             {200, apiv1.Summary{Revision: 8, CompiledRevision: 6, RevisionError: "that of revision 7"}},
		}},
		"pause without being able to look": {args: "campaigns pause night", replies: map[string]reply{
			"GET /campaigns/night": {200, night}, "PATCH /campaigns/night": {200, apiv1.Saved{Revision: 9}}, "GET /summary": refusal(403, "forbidden", "Not for you."),
		}},
		"list under a pin": {args: "campaigns list", replies: map[string]reply{"GET /campaigns?limit=500": {200, page(springBy)}, "GET /summary": pinned}},
		"list of what cannot be compiled as JSON": {args: "campaigns list -o json", replies: map[string]reply{
			"GET /campaigns?limit=500": {200, `{"items":[],"total":0}`},
			"GET /summary":             {200, apiv1.Summary{Revision: 9, CompiledRevision: 7, RevisionError: hostile}},
		}},
		"list without being able to look": {args: "campaigns list", replies: map[string]reply{
			"GET /campaigns?limit=500": {200, page(springBy)}, "GET /summary": refusal(403, "forbidden", "Not for you."),
		}},
		"fleet of a server without a summary": {args: "fleet", replies: map[string]reply{
			"GET /fleet": {200, apiv1.Fleet{Version: "v3"}}, "GET /summary": refusal(403, "forbidden", "Not for you."),
		}},
		"fleet of nobody":    {args: "fleet", replies: map[string]reply{"GET /summary": {200, apiv1.Summary{}}, "GET /fleet": {200, apiv1.Fleet{}}}},
		"fleet as something": {args: "fleet -o yaml"},
		"explain": {args: "explain --country us --lang en --at 2026-12-24T20:30:15+01:00", replies: map[string]reply{"GET /explain?at=2026-12-24T19%3A30%3A15Z&country=us&lang=en": {
			200,
			`{"country":"us","lang":"eng","lang_aliases":["en","eng"],"at":"2026-12-24T19:30:00Z","key":"us/eng","eligible":[{"id":` + quoted(hostile) + `,"video_url":"https://v/s","start_hour":0,"end_hour":24}],"cycle":[0],"waiting":[],"rejected":[]}`,
		}}},
		"explain what a pin holds back": {args: "explain --country us --lang en", replies: map[string]reply{
			"GET /explain?country=us&lang=en": {200, `{"country":"us","lang":"eng","at":"2026-12-24T19:30:00Z","version":"v3","ahead":true}`},
			"GET /summary":                    {200, apiv1.Summary{Version: "v3", Pin: &apiv1.Pin{Version: "v3", Who: "kim"}}},
		}},
		"explain what is published in a moment": {args: "explain --country us --lang en", replies: map[string]reply{
			"GET /explain?country=us&lang=en": {200, `{"country":"us","lang":"eng","at":"2026-12-24T19:30:00Z","version":"","ahead":true}`},
			"GET /summary":                    {200, apiv1.Summary{}},
		}},
		"explain what is published": {args: "explain --country us --lang en", replies: map[string]reply{
			"GET /explain?country=us&lang=en": {200, `{"country":"us","lang":"eng","at":"2026-12-24T19:30:00Z","version":"v3","ahead":false}`},
		}},
		"explain as JSON": {args: "explain --country us --lang en -o json", replies: map[string]reply{"GET /explain?country=us&lang=en": {200, `{"country":"us"}`}}},
		"explain as JSON, as it was asked for before": {args: "explain --country us --lang en --json", replies: map[string]reply{"GET /explain?country=us&lang=en": {200, `{"country":"us"}`}}},
		"explain as something":                        {args: "explain --country us --lang en -o yaml"},
		"export as a table":                           {args: "campaigns export -o table"},
		"explain with a cycle of none":                {args: "explain --country us --lang en", replies: map[string]reply{"GET /explain?country=us&lang=en": {200, `{"cycle":[7]}`}}},
		"explain what is served": {args: "explain --published --country us --lang en --at 2026-12-24T20:30:15Z", replies: map[string]reply{
			"GET /served?at=2026-12-24T20%3A30%3A15Z&country=us&lang=en": {200, apiv1.Served{
				Version: shaOld, Country: "us", Lang: "eng", At: evening.Truncate(time.Minute), Key: "us/*",
				Ads: []apiv1.ServedAd{{ID: "spring", VideoURL: "https://v/s"}, {ID: hostile, VideoURL: "https://v/n"}}, Cycle: []int{0, 1, 0},
			}},
		}},
		"explain that nothing is served": {args: "explain --published --country us --lang en", replies: map[string]reply{
			"GET /served?country=us&lang=en": {200, apiv1.Served{Version: shaOld, Country: "us", Lang: "eng", At: evening.Truncate(time.Minute), Ads: []apiv1.ServedAd{}, Cycle: []int{}}},
		}},
		"explain what is served as JSON":    {args: "explain --published --country us --lang en -o json", replies: map[string]reply{"GET /served?country=us&lang=en": {200, `{"version":"v3"}`}}},
		"explain a cycle that is none":      {args: "explain --published --country us --lang en", replies: map[string]reply{"GET /served?country=us&lang=en": {200, `{"ads":[],"cycle":[0]}`}}},
		"explain a document as served":      {args: "explain --published --campaigns x.json"},
		"explain a wrong code":              {args: "explain --country usa --lang en", replies: map[string]reply{"GET /explain?country=usa&lang=en": refusal(400, "invalid_parameter", "country must be 2 ASCII letters.")}},
		"explain at no time":                {args: "explain --country us --lang en --at noon"},
		"explain both":                      {args: "explain --live --last-good"},
		"no credentials":                    {args: "fleet", replies: map[string]reply{"GET /fleet": refusal(401, "unauthorized", "Sign in, or send a valid token as Authorization: Bearer.")}},
		"not an operator":                   {args: "resume", replies: map[string]reply{"DELETE /pin": refusal(403, "read_only", "This account may read but not change anything.")}},
		"another name":                      {args: "fleet", replies: map[string]reply{"GET /fleet": refusal(421, "unknown_host", "This address does not go by that name. Its operator can set admin.name.")}},
		"a store that is away":              {args: "resume", replies: map[string]reply{"DELETE /pin": refusal(503, "store_unavailable", "The store of changes cannot be reached. The change may have been made: look before you try again.")}},
		"a change that takes too long":      {args: "resume", replies: map[string]reply{"DELETE /pin": refusal(503, "timeout", "The request took too long.")}},
		"a change that others overtake":     {args: "resume", replies: map[string]reply{"DELETE /pin": refusal(503, "contended", "Others keep changing campaigns. Nothing was changed: try again.")}},
		"a proxy that does not get through": {args: "resume", replies: map[string]reply{"DELETE /pin": {503, "upstream connect error"}}},
		"another server":                    {args: "fleet", replies: map[string]reply{"GET /fleet": {200, "<html>"}}},
		"an error of another server":        {args: "fleet", replies: map[string]reply{"GET /fleet": {404, "404 page not found"}}},
		"a message that a terminal obeys":   {args: "fleet", replies: map[string]reply{"GET /fleet": refusal(400, hostile, hostile)}},
		"a timeout below zero":              {args: "fleet --timeout -1s"},
	}
	folder := filepath.Join("testdata", "commands")
	if *update {
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.MkdirAll(folder, 0o755))
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI(t, tc.replies)
			t.Setenv(serverVariable, f.URL)
			t.Setenv(tokenVariable, secretToken)
			args := strings.Fields(tc.args)
			for i, a := range args {
				args[i] = strings.ReplaceAll(strings.ReplaceAll(a, "~", " "), "|", "")
			}
			got := f.transcript(args, runCommand(t, tc.stdin, args...))
			require.NotContains(t, got, secretToken)
			if len(f.seen()) > 0 {
				require.Equal(t, "Bearer "+secretToken, f.token)
			}
			requirePrintable(t, got)
			file := filepath.Join(folder, strings.ReplaceAll(name, " ", "_")+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, len(cases), "a transcript of no case")
}
