package compile

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"adsidecar/controlplane/campaign"
	"adsidecar/filter/adindex"
)

// entry stands for a campaign: all that the order and the groups need, so that only ids which begin alike are read again.
type entry struct {
	prefix uint64 // of the id, behind what all ids have in common: compares as the bytes do
	number uint32 // of the campaign in the document's slice
	key    adindex.Key
	hours  hourSet // in its zone
	kind   kind
}

// kind is what must be done for a campaign.
type kind uint8

const (
	plainAd  kind = iota // nothing but its hours of the UTC day counts
	fullAd               // served at some time, by more than its hours
	bareAd               // not served in the horizon or after it; its key stands
	pausedAd             // as if it were not there
)

func (h horizon) kindOf(c *campaign.Campaign) kind {
	hoursOnly := c.Priority == 0 && c.Weight <= campaign.MinWeight && c.Days == 0 && zoneName(c) == ""
	switch {
	case c.Paused:
		return pausedAd
	case hoursOnly && c.StartAt == 0 && c.EndAt == 0:
		return plainAd
	case !h.reaches(c.Flight()):
		return bareAd
	default:
		return fullAd
	}
}

// ordered is the campaigns of a document in order of id bytes.
type ordered struct {
	entries []entry // of the ads of the index
	mixed   bool    // not all of them are plain

	bare []adindex.Key // keys of campaigns without an ad in the index, each once or more

	timed  bool // flights or time zones count
	moving bool // some flight has an edge ahead
}

// inOrder returns an entry for each campaign that the index serves, in order of id bytes. That one sort orders the cycles of every key
// and hour.
func inOrder(campaigns []campaign.Campaign, h horizon) (*ordered, error) {
	common := commonPrefix(campaigns)
	entries := make([]entry, len(campaigns))
	jobs := make([]struct {
		fault                        error
		mixed, absent, timed, moving bool
	}, (len(campaigns)+batch-1)/batch)
	inBatches(len(campaigns), func(number, begin, end int) {
		job := &jobs[number]
		for i := begin; i < end; i++ {
			c := &campaigns[i]
			key, ok := adindex.MakeKey(c.Country, c.Lang)
			if !ok && job.fault == nil {
				job.fault = noKey(c)
			}
			kind := h.kindOf(c)
			entries[i] = entry{prefix: prefixOf(c.ID[common:]), number: uint32(i), key: key, hours: hoursOf(c), kind: kind}
			if kind == plainAd {
				continue
			}
			job.mixed = true
			job.absent = job.absent || kind >= bareAd
			if kind != pausedAd {
				job.timed = job.timed || c.StartAt != 0 || c.EndAt != 0 || zoneName(c) != ""
				job.moving = job.moving || h.moves(c)
			}
		}
	})
	o := &ordered{}
	absent := false
	for _, job := range jobs {
		if job.fault != nil {
			return nil, job.fault
		}
		o.mixed, o.timed, o.moving = o.mixed || job.mixed, o.timed || job.timed, o.moving || job.moving
		absent = absent || job.absent
	}
	if absent {
		entries = slices.DeleteFunc(entries, func(e entry) bool {
			if e.kind == bareAd {
				o.bare = append(o.bare, e.key)
			}
			return e.kind >= bareAd
		})
	}
	var err error
	o.entries, err = sortEntries(entries, campaigns)
	return o, err
}

func noKey(c *campaign.Campaign) error {
	return fmt.Errorf("ad %d: country %q with lang %q is no canonical key", c.Index, c.Country, c.Lang)
}

// commonPrefix returns how many bytes all ids begin with alike. Ids that are numbered begin with a name and zeros.
func commonPrefix(campaigns []campaign.Campaign) int {
	if len(campaigns) == 0 {
		return 0
	}
	common := campaigns[0].ID
	for i := range campaigns {
		id := campaigns[i].ID
		for len(common) > 0 && (len(id) < len(common) || id[:len(common)] != common) {
			common = common[:len(common)-1]
		}
	}
	return len(common)
}

// prefixOf returns the first eight bytes of s as a number. What is missing counts as 0, which orders a string before those
// that it begins; two strings with equal prefixes may be in any order.
func prefixOf(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// sortEntries sorts by id. The entries are dealt into piles by the first byte of their prefixes, and the piles are sorted in
// parallel.
func sortEntries(entries []entry, campaigns []campaign.Campaign) ([]entry, error) {
	var ends [257]int
	for i := range entries {
		ends[entries[i].prefix>>56+1]++
	}
	for i := range 256 {
		ends[i+1] += ends[i]
	}
	next := ends
	dealt := make([]entry, len(entries))
	for i := range entries {
		pile := entries[i].prefix >> 56
		dealt[next[pile]] = entries[i]
		next[pile]++
	}
	parallel(256, func(pile int) {
		slices.SortFunc(dealt[ends[pile]:ends[pile+1]], func(a, b entry) int {
			if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
				return c
			}
			return cmp.Compare(campaigns[a.number].ID, campaigns[b.number].ID)
		})
	})
	for i := 1; i < len(dealt); i++ {
		if dealt[i].prefix != dealt[i-1].prefix {
			continue
		}
		a, b := &campaigns[dealt[i-1].number], &campaigns[dealt[i].number]
		if a.ID == b.ID {
			return nil, fmt.Errorf("ads %d and %d: both have the id %q", min(a.Index, b.Index), max(a.Index, b.Index), a.ID)
		}
	}
	return dealt, nil
}
