package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
)

// trial is what a change makes of what is in force, found out before it is made. All of it is compiled: what a campaign adds to an index
// depends on all others of its keys, on beginnings of urls that it shares with any, and, with wildcards, on the number of keys.
type trial struct {
	before, after *campaign.Effective
	index         *compile.Result // of after; nil where it cannot be compiled, as before could not
	broken        error           // why
}

// try refuses a change after which what is in force could not be compiled. If it could not be before either, as the source has grown or
// a new day has flights in sight, operators must be able to mend it: then a change passes that does not make it worse. The end of ctx is heeded
// between two compilations, each of which may take seconds.
func (s *server) try(ctx context.Context, before, after *campaign.Effective) (trial, error) {
	t := trial{before: before, after: after}
	if err := ctx.Err(); err != nil {
		return t, err
	}
	if t.index, t.broken = s.compile(after.Document, 1); t.broken == nil {
		return t, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return t, err
	}
	if _, err := s.compile(before.Document, 1); err == nil {
		return t, t.broken
	}
	if stopsOnly(before.Document, after.Document) {
		return t, ctx.Err()
	}
	then, err := s.extentOf(ctx, after.Document)
	if err != nil {
		return t, err
	}
	now, err := s.extentOf(ctx, before.Document)
	if err != nil {
		return t, err
	}
	if !then.within(now) {
		return t, fmt.Errorf("%w; it could not be before either, and till it can a change has to make it smaller", t.broken)
	}
	return t, ctx.Err()
}

// compile compiles a document under a multiple of the limit.
func (s *server) compile(doc *campaign.Document, times int) (*compile.Result, error) {
	return compile.Compile(doc, compile.Params{MaxBytes: times * s.MaxIndexBytes, Now: s.Now()})
}

// tryRows is a check of a change that puts what it found into t.
func (s *server) tryRows(t *trial) revision.Check {
	return func(ctx context.Context, before, after revision.Rows) (err error) {
		candidate, err := s.candidate()
		if err != nil {
			return err
		}
		*t, err = s.try(ctx, s.views.of(candidate, before).Effective, s.views.under(candidate.Source, after.Campaigns()))
		return err
	}
}

// adopt makes what was tried the view of a revision that was made of it, if nobody was faster.
func (s *server) adopt(t trial, made uint64) {
	if rows := s.History.State().Rows; t.after != nil && rows.Revision() == made {
		s.views.adopt(t.after, rows)
	}
}

// addTo adds to a note that what was changed cannot be published yet.
func (t *trial) addTo(note string) string {
	if t.broken == nil {
		return note
	}
	return join(note, "What is in force still cannot be published: "+t.broken.Error()+".")
}

// edited are rows as edits make them.
func edited(rows revision.Rows, edits []revision.RowEdit) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		of := make(map[string]struct{}, len(edits))
		for _, e := range edits {
			of[e.ID] = struct{}{}
		}
		for id, data := range rows.Campaigns() {
			if _, ok := of[id]; !ok && !yield(id, data) {
				return
			}
		}
		for _, e := range edits {
			if e.After != nil && !yield(e.ID, e.After.Campaign) {
				return
			}
		}
	}
}

// stopsOnly says that each campaign which may be served after a change was in force before as it is. Stopping a campaign may make an index
// larger, where it hid others, and must be possible all the same.
func stopsOnly(before, after *campaign.Document) bool {
	served := func(c campaign.Campaign) []byte {
		c.Name, c.Labels = "", nil // an index has neither
		return campaign.AppendJSON(nil, &c)
	}
	was := make(map[string][]byte, len(before.Campaigns))
	for _, c := range before.Campaigns {
		if !c.Paused {
			was[c.ID] = served(c)
		}
	}
	for _, c := range after.Campaigns {
		if !c.Paused && !bytes.Equal(was[c.ID], served(c)) {
			return false
		}
	}
	return true
}

// extent is how far a document that is too large can be compiled under twice the limit.
type extent struct {
	bytes int64  // of the index, or of the key
	key   string // that is too large; empty: none is
	whole bool   // there is an index
}

func (s *server) extentOf(ctx context.Context, doc *campaign.Document) (extent, error) {
	if err := ctx.Err(); err != nil {
		return extent{}, err
	}
	result, err := s.compile(doc, 2)
	var key *compile.KeyTooLargeError
	switch {
	case err == nil:
		return extent{bytes: int64(len(result.Bytes)), whole: true}, nil
	case errors.As(err, &key):
		return extent{bytes: key.Bytes, key: key.Key}, nil
	}
	return extent{}, nil
}

// within says that e is known to be no worse than another extent: an index where there was none, or one that is not larger, or the same key
// and not larger.
func (e extent) within(o extent) bool {
	switch {
	case e.whole:
		return !o.whole || e.bytes <= o.bytes
	case e.key != "":
		return e.key == o.key && e.bytes <= o.bytes
	}
	return false
}
