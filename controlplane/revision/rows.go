package revision

import (
	"hash/maphash"
	"iter"
	"maps"
)

const shards = 1024

var seed = maphash.MakeSeed()

// Rows are all rows as they were at a revision. They never change: a change makes other Rows, which share with these what is the same.
// The zero value has none.
type Rows struct {
	number uint64
	shards *[shards]map[string]Present
	count  int
	bytes  int
}

// Revision is the number of the last revision that the rows have.
func (r Rows) Revision() uint64 { return r.number }

// Len is how many rows there are.
func (r Rows) Len() int { return r.count }

// Get returns the row of a campaign.
func (r Rows) Get(id string) (Present, bool) {
	if r.shards == nil {
		return Present{}, false
	}
	p, ok := r.shards[shardOf(id)][id]
	return p, ok
}

// Campaigns are what the rows say of each campaign by its ID, in no order: its JSON, or nil for a pause alone.
func (r Rows) Campaigns() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for id, p := range r.All() {
			if !yield(id, p.Row.Campaign) {
				return
			}
		}
	}
}

// All are the rows by campaign ID, in no order.
func (r Rows) All() iter.Seq2[string, Present] {
	return func(yield func(string, Present) bool) {
		if r.shards == nil {
			return
		}
		for _, shard := range r.shards {
			for id, p := range shard {
				if !yield(id, p) {
					return
				}
			}
		}
	}
}

// with returns the rows after a revision.
func (r Rows) with(changes []Change, number uint64) Rows {
	b := newBuilder(r)
	b.apply(changes, number)
	return b.done(number)
}

func shardOf(id string) int { return int(maphash.String(seed, id) % shards) }

// builder makes Rows out of others, of which it copies what it changes.
type builder struct {
	rows  Rows
	owned [shards]bool
}

func newBuilder(from Rows) *builder {
	b := &builder{rows: from}
	if from.shards == nil {
		b.rows.shards = new([shards]map[string]Present)
	} else {
		copied := *from.shards
		b.rows.shards = &copied
	}
	return b
}

// set puts a row, or removes it where p is nil.
func (b *builder) set(id string, p *Present) {
	i := shardOf(id)
	if !b.owned[i] {
		b.owned[i] = true
		if b.rows.shards[i] = maps.Clone(b.rows.shards[i]); b.rows.shards[i] == nil {
			b.rows.shards[i] = map[string]Present{}
		}
	}
	shard := b.rows.shards[i]
	if old, ok := shard[id]; ok {
		b.rows.count--
		b.rows.bytes -= len(id) + len(old.Row.Campaign)
		delete(shard, id)
	}
	if p != nil {
		b.rows.count++
		b.rows.bytes += len(id) + len(p.Row.Campaign)
		shard[id] = *p
	}
}

func (b *builder) apply(changes []Change, number uint64) {
	for _, c := range changes {
		if c.After == nil {
			b.set(c.ID, nil)
		} else {
			b.set(c.ID, &Present{Row: *c.After, Revision: number})
		}
	}
}

// done returns the rows as of a revision. The builder must not be used after it.
func (b *builder) done(number uint64) Rows {
	b.rows.number = number
	return b.rows
}
