package fakeapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
)

// Empty is a control plane that has just been set up: nothing is published, and nobody is connected.
func Empty() *API {
	return &API{Status: json.RawMessage(`{"source":{"kind":"http","location":"https://cms.example.com/ads.json",
			"consecutive_failures":0},
		"index":null,"rejected":{"total":0,"by_reason":{},"first":[]}}`)}
}

// Sample is a control plane in the middle of its life, with something of everything, as of now: campaigns from both origins in each
// state, one of them with a name that is a script; rejected ads, a held version, Envoys behind and gone.
func Sample(now time.Time) *API {
	const served, waiting = "3f6c1a9be04d5d22c7", "a81b02c4d7e9ff1023"
	version := func(hash string, hours int, revision uint64) apiv1.Version {
		return apiv1.Version{
			Version: hash, PublishedAt: now.Add(-time.Duration(hours) * time.Hour), Revision: revision, Ads: 18204, Keys: 1937, Bytes: 2481920,
			Rejected: 14, Published: hash == served,
		}
	}
	a := &API{
		Status: json.RawMessage(fmt.Sprintf(`{"source":{"kind":"http","location":"https://cms.example.com/ads.json",
			"last_poll":%q,"last_result":"ok","age_seconds":12.4,"consecutive_failures":0},
			"index":{"version":%q,"bytes":2481920,"ads":18204,"keys":1937,"published_at":%q,"cut_cycles":12},
			"operators":{"loaded":true,"revision":41,"compiled_revision":41},
			"rejected":{"total":14,"by_reason":{"invalid_country":9,"missing_field":5},"first":[
			{"line":204,"id":"spring-1","field":"country","reason":"invalid_country","detail":"must be two letters or *, is \"usa\""},
			{"line":950,"field":"video_url","reason":"missing_field","detail":"is missing; also lang: is missing"},
			{"line":1177,"id":"<script>alert(1)</script>","field":"country","reason":"invalid_country","detail":"must be two letters or *, is \"<b>\""}]}}`,
			now.Add(-12*time.Second).Format(time.RFC3339), served, now.Add(-3*time.Hour).Format(time.RFC3339))),
		Held: &apiv1.Held{
			Version: waiting, Base: served, Since: now.Add(-4 * time.Minute), Reason: "max_removed_share", Removed: 13107, Served: 18204, Share: 0.72, Limit: 0.5,
			Message: "The source’s document removes more ads than the guard allows.",
		},
		Fleet: sampleFleet(now, served),
		Versions: []apiv1.Version{
			version(served, 3, 41), version("9b0e77aa51c3d4f0aa", 8, 40),
			version("11d2e3f4a5b6c7d8e9", 30, 0), version("77ab12cd34ef560011", 720, 0),
		},
		Diff: apiv1.Diff{Added: 1, Changed: 1, Removed: 1, Keys: 12, BytesBefore: 2481920, BytesAfter: 2479001, Ads: []apiv1.AdChange{
			{ID: "launch", After: raw(`{"id":"launch","video_url":"https://v.example/l","country":"fr","lang":"fra","start_hour":9,"end_hour":18}`)},
			{ID: "morning", Before: raw(`{"id":"morning","weight":1,"end_hour":12}`), After: raw(`{"id":"morning","weight":3,"end_hour":11}`)},
			{ID: "old", Before: raw(`{"id":"old","country":"us"}`)},
		}},
		Explanation: sampleExplanation(now),
		Basis:       apiv1.Basis{Version: served},
	}
	for n, kind := range []string{"edit", "revert", "import"} { // the last one is from before revisions named their campaigns
		r := apiv1.RevisionChanges{Revision: apiv1.Revision{
			Number: uint64(41 - n), At: now.Add(-time.Duration(3+n) * time.Hour), Who: "olga", Kind: kind, Changes: 1 + 300*(n/2),
		}}
		if kind == "revert" {
			r.Reverts = 38
		}
		r.Comment = []string{"Evening hours, as agreed with sales", "", "Spring campaigns"}[n]
		r.Items = []apiv1.RevisionChange{
			{
				ID: "evening", Before: raw(`{"id":"evening","start_hour":18,"end_hour":22}`),
				After: raw(`{"id":"evening","start_hour":17,"end_hour":22,"days":["fri","sat"]}`),
			},
		}
		if kind != "import" {
			r.FirstIDs, r.Changed = []string{"evening"}, 1
		}
		a.Revisions = append(a.Revisions, r)
	}
	a.Actions = []apiv1.Action{
		{Number: 3, Kind: "resume", Version: "9b0e77aa51c3d4f0aa", Who: "olga", At: now.Add(-3 * time.Hour)},
		{Number: 2, Kind: "rollback", Version: "9b0e77aa51c3d4f0aa", Who: "local:kim", Comment: "No ads in France since 4 o’clock", At: now.Add(-5 * time.Hour)},
		{Number: 1, Kind: "refuse", Version: "c0ffee02c4d7e9ff10", Base: "9b0e77aa51c3d4f0aa", Who: "olga", Comment: "<script>alert(1)</script>", At: now.Add(-7 * time.Hour)},
	}
	a.Versions[0].Document, a.Versions[0].SourceTime, a.Versions[0].TimeZones = "5d41402abc4b2a76b9719d911017c592", now.Add(-4*time.Hour), "2026a"
	a.Versions[0].RejectedByReason = map[string]int{"invalid_country": 9, "missing_field": 5}
	a.Versions[0].CutCycles, a.Versions[0].Cuts = 12, []apiv1.Cut{{Key: "us/eng", Ads: 656, Turns: 64881, Uncut: 65537}}
	a.Campaigns = sampleCampaigns(now)
	a.Coverage = []apiv1.Coverage{
		{Country: "jp", Lang: "jpn", Quarters: strings.Repeat("0", 96), Without: 1440},
		{Country: "us", Lang: "spa", Quarters: strings.Repeat("0", 24) + strings.Repeat("1", 40) + "-" + strings.Repeat("0", 31), Without: 832},
		{Country: "de", Lang: "deu", Quarters: strings.Repeat("1", 8) + "---" + strings.Repeat("1", 61) + strings.Repeat("0", 24), Without: 375},
	}
	a.Coverage = append(a.Coverage, apiv1.Coverage{Country: "*", Lang: "ita", Quarters: strings.Repeat("1", 95) + "0", Without: 15})
	for i := range 40 {
		a.Coverage = append(a.Coverage, apiv1.Coverage{
			Country: string([]byte{'a' + byte(i%26), 'a' + byte(i/26)}), Lang: "eng", Quarters: strings.Repeat("1", 96),
		})
	}
	return a
}

// Strand makes the newest revision one that cannot be compiled.
func (a *API) Strand(newest, compiled uint64, why string) {
	a.setOperators(map[string]any{"loaded": true, "revision": newest, "compiled_revision": compiled, "error": why})
}

// Blind makes the operators' store one that cannot be read since then, and so many rows of it unreadable.
func (a *API) Blind(since time.Time, why string, rows int) {
	a.setOperators(map[string]any{"loaded": true, "read_at": since, "read_error": why, "unreadable": rows})
}

func (a *API) setOperators(operators map[string]any) {
	status := map[string]any{}
	text, _ := json.Marshal(a.Status) // of JSON
	_ = json.Unmarshal(text, &status)
	status["operators"] = operators
	a.Status = status
}

func sampleFleet(now time.Time, served string) apiv1.Fleet {
	age, old := 2.3, 5400.0
	in := func(kind, version string, sync bool) apiv1.OfType {
		return apiv1.OfType{Type: kind, Version: version, InSync: sync, Since: now.Add(-3 * time.Hour), LastAckAge: &age}
	}
	rejecting := in("index", "9b0e77aa51c3d4f0aa", false)
	rejecting.Rejecting, rejecting.LastNack, rejecting.LastAckAge = true, now.Add(-2*time.Hour), &old
	rejecting.NackText = "wasm: plugin configuration rejected: index has format 4, this filter reads 3"
	return apiv1.Fleet{Version: served, InSync: 1, Behind: 1, Gone: 1, Rates: &apiv1.Rates{Served: 1833.9, NoAd: 12.6, BadRequest: 0.2}, Envoys: []apiv1.Envoy{
		{
			Node: "edge-eu-1", Address: "10.0.4.17:51422", Connected: true, Since: now.Add(-26 * time.Hour),
			Rates: &apiv1.Rates{Served: 1523.4, NoAd: 12.6, BadRequest: 0.2},
			Types: []apiv1.OfType{in("listeners", "5c", true), in("clusters", "5c", true), in("index", served, true)},
		},
		{
			Node: "edge-us-1", Address: "10.1.4.3:40112", Connected: true, Since: now.Add(-9 * time.Hour), Rates: &apiv1.Rates{Served: 310.5},
			Types: []apiv1.OfType{in("listeners", "5c", true), rejecting},
		},
		{
			Node: "edge-us-2", Address: "10.1.4.9:40870", Since: now.Add(-11 * time.Minute),
			Types: []apiv1.OfType{{Type: "index", Since: now.Add(-11 * time.Minute)}},
		},
	}}
}

func sampleExplanation(now time.Time) compile.Explanation {
	ad := func(id string, weight int) compile.Ad {
		return compile.Ad{ID: id, VideoURL: "https://video.example.com/" + id + ".mp4", Country: "us", Lang: "eng", Weight: weight, EndHour: 24}
	}
	script := ad("javascript", 1)
	script.VideoURL = "javascript://v.example/%0Aalert(1)"
	evening := ad("evening", 1)
	evening.TimeZone = "America/New_York"
	return compile.Explanation{
		Country: "us", Lang: "eng", Aliases: []string{"en", "eng"}, At: now.Truncate(time.Minute), Key: "us/eng",
		Eligible: []compile.Ad{ad("always", 3), script}, Cycle: []int{0, 0, 1, 0},
		Waiting: []compile.Waiting{
			{Ad: evening, Reason: compile.ReasonOutOfHours, NextEligible: now.Add(6 * time.Hour).Truncate(time.Hour)},
			{Ad: ad("house", 1), Reason: compile.ReasonLowerPriority, NextEligible: now},
			{Ad: ad("spring", 1), Reason: compile.ReasonAfterFlight},
		},
		Rejected: []compile.Rejected{{
			Reason: compile.ReasonInvalid,
			Reject: campaign.Reject{Line: 950, Field: "video_url", Reason: "missing_field", Detail: "is missing"},
		}},
	}
}

func sampleCampaigns(now time.Time) []apiv1.Campaign {
	always := Campaign(`{"id":"always","name":"All day, everybody","video_url":"https://video.example.com/always.mp4",
		"country":"us","lang":"eng","start_hour":0,"end_hour":24,"weight":3,"labels":["house","q1"]}`)
	evening := Campaign(`{"id":"evening","video_url":"https://video.example.com/evening.mp4",
		"country":"us","lang":"eng","start_hour":17,"end_hour":2,"time_zone":"America/New_York","days":["fri","sat"]}`)
	evening.EligibleNow, evening.NextEligible, evening.Overrides = false, now.Add(6*time.Hour).Truncate(time.Hour), true
	evening.Source = raw(`{"id":"evening","video_url":"https://video.example.com/evening.mp4",
		"country":"us","lang":"eng","start_hour":18,"end_hour":22}`)
	house := Campaign(`{"id":"house","name":"<script>alert(\"name\")</script>","video_url":"https://video.example.com/house.mp4",
		"country":"*","lang":"*","start_hour":0,"end_hour":0,
		"priority":-100,"labels":["<img src=x onerror=alert(1)>"]}`)
	house.Origin, house.Revision = apiv1.FromSource, 0
	paused := Campaign(`{"id":"paused/one","video_url":"https://video.example.com/p.mp4",
		"country":"de","lang":"deu","start_hour":6,"end_hour":12,"enabled":false}`)
	paused.Origin, paused.PausedByOperator = apiv1.FromSource, true
	launch := Campaign(`{"id":"launch","name":"Launch in France","video_url":"https://video.example.com/launch.mp4",
		"country":"fr","lang":"fra","start_hour":9,"end_hour":18,"time_zone":"Europe/Paris",
		"start_at":"2027-03-01T08:30:00Z","end_at":"2027-03-02T17:15:00Z"}`)
	launch.State, launch.EligibleNow, launch.NextEligible = apiv1.Scheduled, false, time.Date(2027, 3, 1, 8, 30, 0, 0, time.UTC)
	ended := Campaign(`{"id":"winter","video_url":"https://video.example.com/w.mp4",
		"country":"se","lang":"swe","start_hour":0,"end_hour":0,"end_at":"2026-03-01T00:00:00Z"}`)
	ended.State, ended.EligibleNow = apiv1.Ended, false
	return []apiv1.Campaign{always, evening, house, paused, launch, ended}
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }
