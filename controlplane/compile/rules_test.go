package compile_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// ruleComparer asks an index and the model of one set of campaigns the same questions.
type ruleComparer struct {
	model  *ruleModel
	doc    *campaign.Document
	result *compile.Result
	reader *adindex.Reader
	ids    map[adindex.AdRef]string
}

func newRuleComparer(t require.TestingT, campaigns []campaign.Campaign, now time.Time) *ruleComparer {
	ads, err := ruleAds(campaigns)
	require.NoError(t, err)
	doc, err := campaign.Decode(ruleDocument(t, campaigns))
	require.NoError(t, err)
	require.Len(t, doc.Campaigns, len(campaigns))
	result, err := compile.Compile(doc, compile.Params{Now: now})
	require.NoError(t, err)
	reader, err := adindex.Open(result.Bytes)
	require.NoError(t, err)
	return &ruleComparer{
		model: newRuleModel(ads, now), doc: doc, result: result, reader: reader, ids: make(map[adindex.AdRef]string),
	}
}

// serve returns the ids that the index serves, turn by turn.
func (c *ruleComparer) serve(t require.TestingT, q query, at time.Time) []string {
	key, ok := adindex.MakeKey(q.country, q.lang)
	require.True(t, ok)
	entry, ok := c.reader.Find(key)
	if !ok {
		return nil
	}
	cycle := c.reader.CycleAt(entry, at.Unix())
	var ids []string
	for i := range cycle.Len() {
		ids = append(ids, c.id(t, cycle.Ad(i)))
	}
	return ids
}

func (c *ruleComparer) id(t require.TestingT, ad adindex.AdRef) string {
	id, ok := c.ids[ad]
	if !ok {
		var body served
		require.NoError(t, json.Unmarshal(answer(c.reader, ad), &body))
		id = body.ID
		c.ids[ad] = id
	}
	return id
}

// compare requires the same turns from the index and the model, and from Explain what the rules say without a horizon.
func (c *ruleComparer) compare(t require.TestingT, q query, at time.Time, explain bool) {
	lang := campaign.CanonicalLang(q.lang)
	want, got := c.model.serve(q.country, lang, at), c.serve(t, q, at)
	if !slices.Equal(want, got) {
		require.Equal(t, want, got, "%v at %v, compiled for %v", q, at, c.model.first)
	}
	if !explain {
		return
	}
	e, err := compile.Explain(c.doc, q.country, q.lang, at)
	require.NoError(t, err)
	var eligible []ruleAd
	for _, a := range c.model.ads {
		if (a.country == q.country || a.country == "*") && (a.lang == lang || a.lang == "*") && a.eligible(at) {
			eligible = append(eligible, a)
		}
	}
	if want, got = turns(winners(eligible)), explainedTurns(e); !slices.Equal(want, got) {
		require.Equal(t, want, got, "%v explained at %v", q, at)
	}
}

func explainedTurns(e compile.Explanation) []string {
	var ids []string
	for _, ad := range e.Cycle {
		ids = append(ids, e.Eligible[ad].ID)
	}
	return ids
}

// TestReferenceUnderTheFullRules compares index and model on random campaigns with every field, and counts what it has reached.
func TestReferenceUnderTheFullRules(t *testing.T) {
	want := comparisons
	if *long {
		want = longComparisons
	}
	reached := newReached()
	cases := 0
	for reached.compared < want || reached.missing() != "" && reached.compared < 20*want {
		rapid.Check(t, func(rt *rapid.T) {
			r := ruleCases.Draw(rt, "case")
			c := newRuleComparer(rt, r.campaigns, r.now)
			cases++
			for _, q := range r.queries {
				for i, at := range r.minutes {
					c.compare(rt, q, at, i%4 == 0)
					reached.count(c, q, at)
				}
			}
		})
	}
	require.Empty(t, reached.missing(), "not reached: %v", reached)
	t.Logf("%d comparisons of %d sets of campaigns: %v", reached.compared, cases, reached.counts)
}

// reached counts the comparisons in which something took part.
type reached struct {
	compared int
	counts   map[string]int
}

func newReached() *reached {
	r := &reached{counts: make(map[string]int)}
	for _, name := range []string{
		"wrap with days", "zone change in the horizon", "empty top priority", "(c, l)", "(c, *)", "(*, l)", "(*, *)", "pair of wildcards",
		"gcd > 1", "cut cycle", "after the horizon", "before the horizon", "day", "week", "absolute", "no ad",
	} {
		r.counts[name] = 0
	}
	return r
}

func (r *reached) missing() string {
	for name, n := range r.counts {
		if n == 0 {
			return name
		}
	}
	return ""
}

func (r *reached) count(c *ruleComparer, q query, at time.Time) {
	r.compared++
	m, lang := c.model, campaign.CanonicalLang(q.lang)
	ads := m.of(q.country, lang)
	met := func(name string, is bool) {
		if is {
			r.counts[name]++
		}
	}
	var eligible []ruleAd
	highest, forms := campaign.MinPriority, make(map[string]bool)
	for _, a := range ads {
		highest = max(highest, a.priority)
		forms[form(a)] = true
		if a.eligible(at) {
			eligible = append(eligible, a)
			wall := at.In(a.zone)
			met("wrap with days", a.start > a.end && wall.Hour() < a.end && !a.days[wall.Weekday()])
		}
	}
	absolute := m.absolute(ads)
	met("absolute", absolute)
	limited := slices.ContainsFunc(ads, func(a ruleAd) bool { return len(daysOf(a)) < 7 })
	met("week", !absolute && limited)
	met("day", !absolute && !limited && len(ads) > 0)
	met("after the horizon", absolute && at.After(m.last))
	met("before the horizon", absolute && at.Before(m.first))
	met("zone change in the horizon", slices.ContainsFunc(ads, func(a ruleAd) bool { return m.zoneChanges(a.zone) }))
	met("pair of wildcards", forms["(c, *)"] && forms["(*, l)"] && !forms["(c, l)"])
	best := winners(eligible)
	met("no ad", len(best) == 0)
	if len(best) == 0 {
		return
	}
	met(form(best[0]), true)
	met("empty top priority", best[0].priority < highest)
	sum := 0
	for _, a := range best {
		sum += a.weight
	}
	served := int(0)
	for _, w := range reducedWeights(best) {
		served += int(w)
	}
	met("gcd > 1", len(best) > 1 && len(best) < 100 && served < sum)
	met("cut cycle", len(best) > 600 && served <= compile.MaxTurns && len(c.result.Cuts) > 0)
}

func form(a ruleAd) string {
	country, lang := "c", "l"
	if a.country == "*" {
		country = "*"
	}
	if a.lang == "*" {
		lang = "*"
	}
	return "(" + country + ", " + lang + ")"
}

func daysOf(a ruleAd) []time.Weekday {
	var days []time.Weekday
	for day := range time.Weekday(7) {
		if a.days[day] {
			days = append(days, day)
		}
	}
	return days
}
