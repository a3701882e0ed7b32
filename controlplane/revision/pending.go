package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// pendingFor is how long a batch may take from its first chunk to its publication.
	pendingFor = time.Hour
	// replacedFor is how long what was replaced stays for those who are reading it. Who is slower finds it gone, and reads what took its place.
	replacedFor = 5 * time.Minute
	// pendingTries is how often the list of pending batches is tried to change while others change it.
	pendingTries = 50
	// maxPending bounds the list, which is one value of the store. What is kept for a rollback is begun only while the list is half as long: no
	// number of published versions is in the way of a revision.
	maxPending         = 2000
	maxPendingVersions = maxPending / 2
	// removedAtOnce is how many batches are taken off the list in one write.
	removedAtOnce = 50
)

var errAbandoned = fmt.Errorf("%w: writing took too long", ErrUnavailable)

// pendingBatch is a batch that nothing refers to: not yet, or not any more.
type pendingBatch struct {
	Chunks int       `json:"chunks"`
	At     time.Time `json:"at"`
	// Abandoned batches cannot be published.
	Abandoned bool `json:"abandoned,omitempty"`
}

// due is when it may be removed.
func (b pendingBatch) due() time.Time {
	if b.Abandoned {
		return b.At.Add(replacedFor)
	}
	return b.At.Add(pendingFor)
}

type pending struct {
	Batches map[string]pendingBatch `json:"batches"`
	version uint64
}

func (j *journal) pending(ctx context.Context) (pending, error) {
	entries, err := j.store.Read(ctx, pendingKey)
	if err != nil {
		return pending{}, fmt.Errorf("read the pending batches: %w", err)
	}
	p := pending{version: entries[0].Version}
	if err := readJSON(entries[0], pendingKey, &p); err != nil {
		return pending{}, err
	}
	if p.Batches == nil {
		p.Batches = map[string]pendingBatch{}
	}
	return p, nil
}

// changePending changes the list, and writes puts with it. It is ErrConflict where one of them has become impossible.
func (j *journal) changePending(ctx context.Context, change func(map[string]pendingBatch) error, puts ...Put) error {
	for range pendingTries {
		p, err := j.pending(ctx)
		if err != nil {
			return err
		}
		if err := change(p.Batches); err != nil {
			return err
		}
		w, err := put(pendingKey, p.version, p)
		if err != nil {
			return err
		}
		if err := j.store.Commit(ctx, append([]Put{w}, puts...)...); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := j.possible(ctx, puts...); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the list of pending batches changes all the time", ErrUnavailable)
}

// possible is ErrConflict where a key has another version than a write asks for.
func (j *journal) possible(ctx context.Context, puts ...Put) error {
	if len(puts) == 0 {
		return nil
	}
	keys := make([]string, len(puts))
	for i, p := range puts {
		keys[i] = p.Key
	}
	entries, err := j.store.Read(ctx, keys...)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Version != puts[i].Version {
			return ErrConflict
		}
	}
	return nil
}

// begin puts a batch on the list, if there are fewer than most on it.
func (j *journal) begin(ctx context.Context, batch string, chunks, most int) error {
	return j.changePending(ctx, func(batches map[string]pendingBatch) error {
		if len(batches) >= most {
			return fmt.Errorf("%w: %d batches wait for their removal", ErrUnavailable, len(batches))
		}
		batches[batch] = pendingBatch{Chunks: chunks, At: j.now().UTC()}
		return nil
	})
}

// publishBatch does puts, which refer to the batch, and takes it off the pending ones; those that it replaces become pending, as readers may
// be at them. After ErrConflict the batch is pending still.
func (j *journal) publishBatch(ctx context.Context, batch string, replaced []storedBatch, puts ...Put) error {
	return j.changePending(ctx, func(batches map[string]pendingBatch) error {
		if b, ok := batches[batch]; !ok || b.Abandoned {
			return errAbandoned
		}
		delete(batches, batch)
		for _, old := range replaced {
			batches[old.Batch] = pendingBatch{Chunks: old.Chunks, At: j.now().UTC(), Abandoned: true}
		}
		return nil
	}, puts...)
}

// discard removes a batch if it is pending. It does so also after the end of ctx, which may be why the batch is not needed any more. Its
// writers must have ended.
func (j *journal) discard(ctx context.Context, batch string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	if p, err := j.pending(ctx); err == nil {
		_ = j.removeBatches(ctx, p, batch) // else clean does it
	}
}

// clean removes what is due, and returns when the next one will be; zero: none is pending.
func (j *journal) clean(ctx context.Context) (next time.Time, _ error) {
	p, err := j.pending(ctx)
	if err != nil {
		return time.Time{}, err
	}
	now := j.now()
	var due []string
	for name, b := range p.Batches {
		switch at := b.due(); {
		case !at.After(now):
			due = append(due, name)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	for some := range slices.Chunk(due, removedAtOnce) {
		if err := j.removeBatches(ctx, p, some...); err != nil {
			return time.Time{}, fmt.Errorf("remove abandoned batches: %w", err)
		}
	}
	return next, nil
}

// errGone is for batches of which none is pending any more.
var errGone = errors.New("they are not pending")

// removeBatches removes those of the names that are pending, of which p was the list.
func (j *journal) removeBatches(ctx context.Context, p pending, names ...string) error {
	names, err := j.abandon(ctx, p, names)
	if err != nil || len(names) == 0 {
		return err
	}
	var keys []string
	for _, name := range names {
		for n := range p.Batches[name].Chunks {
			keys = append(keys, chunkKey(name, n))
		}
	}
	for some := range slices.Chunk(keys, MaxRead) {
		if err := j.store.Remove(ctx, some...); err != nil {
			return err
		}
	}
	err = j.changePending(ctx, func(batches map[string]pendingBatch) error {
		before := len(batches)
		for _, name := range names {
			delete(batches, name)
		}
		if len(batches) == before {
			return errGone
		}
		return nil
	})
	if errors.Is(err, errGone) {
		return nil // another replica was faster
	}
	return err
}

// abandon makes sure that nobody can publish batches any more, and returns which of them are not published by now.
func (j *journal) abandon(ctx context.Context, p pending, names []string) ([]string, error) {
	abandoned := func(name string) bool { return p.Batches[name].Abandoned }
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, ok := p.Batches[name]
		return !ok
	})
	if !slices.ContainsFunc(names, func(name string) bool { return !abandoned(name) }) {
		return names, nil
	}
	var left []string
	err := j.changePending(ctx, func(batches map[string]pendingBatch) error {
		left = nil
		for _, name := range names {
			if b, ok := batches[name]; ok {
				b.Abandoned = true
				batches[name] = b
				left = append(left, name)
			}
		}
		if len(left) == 0 {
			return errGone
		}
		return nil
	})
	if errors.Is(err, errGone) {
		return nil, nil
	}
	return left, err
}
