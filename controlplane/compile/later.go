package compile

import (
	"hash/maphash"
	"time"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// Later returns the keys, in order, that are not among d.Keys and may be answered differently from d.Until on: a campaign applies to them
// that one of the two documents, of which the indexes are, has not or has otherwise, and that runs then; and one of their campaigns has a
// flight or a zone that makes those days other than the ones that were compared. It does not look who wins then, so they are the most that
// may change. Every other key is answered alike for ever, as the rules say. It fails for a time zone that Decode would not have let pass.
func (d *Difference) Later(before, after *campaign.Document) ([]adindex.Key, error) {
	touched := make(keySet)
	l := later{until: floorDiv(d.Until.Unix(), 60)}
	l.changed(before, after, touched)
	if len(touched) == 0 {
		return nil, nil
	}
	moving := make(keySet)
	if err := l.moving(moving, before, after); err != nil {
		return nil, err
	}
	var keys []adindex.Key
	for _, key := range d.same {
		if touched.applies(key) && moving.applies(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// later looks at campaigns from the minute until on.
type later struct{ until int64 }

// changed adds the keys of the campaigns that only one document has as they are, and that run from until on.
func (l later) changed(before, after *campaign.Document, keys keySet) {
	type was struct {
		key  adindex.Key
		hash uint64
	}
	running := make(map[string]was)
	seed := maphash.MakeSeed()
	var text []byte
	each := func(doc *campaign.Document, do func(id string, now was)) {
		for i := range doc.Campaigns {
			c := doc.Campaigns[i]
			if _, end := c.Flight(); c.Paused || end <= l.until {
				continue
			}
			c.Name, c.Labels = "", nil // nothing is decided by them
			text = campaign.AppendJSON(text[:0], &c)
			key, _ := adindex.MakeKey(c.Country, c.Lang) // as Compile has accepted
			do(c.ID, was{key: key, hash: maphash.Bytes(seed, text)})
		}
	}
	each(before, func(id string, now was) { running[id] = now })
	each(after, func(id string, now was) {
		if running[id] == now {
			delete(running, id)
			return
		}
		keys[now.key] = struct{}{}
	})
	for _, gone := range running {
		keys[gone.key] = struct{}{}
	}
}

// moving adds the keys of the campaigns that are not the same week by week from a week before until on: that week was compared.
func (l later) moving(keys keySet, docs ...*campaign.Document) error {
	from := l.until - weekMinutes
	zones := make(map[string]bool) // whether it changes, by name
	for _, doc := range docs {
		for i := range doc.Campaigns {
			c := &doc.Campaigns[i]
			if c.Paused {
				continue
			}
			name := zoneName(c)
			moves, met := zones[name]
			if !met {
				loc, err := location(c)
				if err != nil {
					return err
				}
				moves = changesAfter(loc, from)
				zones[name] = moves
			}
			if start, end := c.Flight(); moves || c.StartAt != 0 && start > from || c.EndAt != 0 && end > from {
				key, _ := adindex.MakeKey(c.Country, c.Lang)
				keys[key] = struct{}{}
			}
		}
	}
	return nil
}

func changesAfter(loc *time.Location, minute int64) bool {
	return everChanges(loc, horizon{base: minute})
}

// keySet is the keys of campaigns, wildcards included.
type keySet map[adindex.Key]struct{}

// applies reports whether a campaign of one of the keys applies to a key.
func (s keySet) applies(key adindex.Key) bool {
	for _, country := range [...]string{key.Country(), campaign.Any} {
		for _, lang := range [...]string{key.Lang(), campaign.Any} {
			wider, _ := adindex.MakeKey(country, lang)
			if _, ok := s[wider]; ok {
				return true
			}
		}
	}
	return false
}
