package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/compile"
	"adsidecar/controlplane/revision"
	"adsidecar/controlplane/revision/boltstore"
	"adsidecar/filter/adindex"
)

var errStoreDown = errors.New("store is down")

// fakeOperators is a real service over a real file, parts of which a test breaks.
type fakeOperators struct {
	*revision.Service
	store *boltstore.Store

	mu        sync.Mutex
	hidden    bool                            // nothing is loaded, as far as the Loop knows
	revealed  chan struct{}                   // closed when that ends
	keep      func(ctx context.Context) error // nil: as the service does
	readError error
	kept      []string
	decide    func() error // before a decision is stored
}

func openOperators(t *testing.T, path string) *fakeOperators {
	t.Helper()
	store, err := boltstore.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() }) // again, where the test has
	service, err := revision.New(revision.Config{Store: store})
	require.NoError(t, err)
	require.NoError(t, service.Follow(t.Context()))
	return &fakeOperators{Service: service, store: store, revealed: make(chan struct{})}
}

func newOperators(t *testing.T) *fakeOperators {
	t.Helper()
	return openOperators(t, filepath.Join(t.TempDir(), "operators.db"))
}

func (o *fakeOperators) Watch() (revision.State, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hidden {
		return revision.State{}, o.revealed
	}
	return o.Service.Watch()
}

func (o *fakeOperators) reveal() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hidden = false
	close(o.revealed)
}

func (o *fakeOperators) KeepVersion(ctx context.Context, v revision.Version, index []byte) error {
	o.mu.Lock()
	keep := o.keep
	o.mu.Unlock()
	if keep != nil {
		if err := keep(ctx); err != nil {
			return err
		}
	}
	if err := o.Service.KeepVersion(ctx, v, index); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, v.Hash)
	return nil
}

func (o *fakeOperators) ReadVersion(ctx context.Context, hash string, w io.Writer) (revision.Version, error) {
	o.mu.Lock()
	err := o.readError
	o.mu.Unlock()
	if err != nil {
		return revision.Version{}, err
	}
	return o.Service.ReadVersion(ctx, hash, w)
}

func (o *fakeOperators) SetDecision(ctx context.Context, d revision.Decision) (revision.Decision, error) {
	if o.decide != nil {
		if err := o.decide(); err != nil {
			return revision.Decision{}, err
		}
	}
	return o.Service.SetDecision(ctx, d)
}

func (o *fakeOperators) breakReading(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.readError = err
}

func (o *fakeOperators) keptVersions() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.kept...)
}

// edit makes a revision of one row: a campaign's path, "" for a pause, nil for none.
func (o *fakeOperators) edit(t *testing.T, id string, path *string) uint64 {
	t.Helper()
	e := revision.RowEdit{ID: id}
	if path != nil {
		e.After = &revision.Row{}
		if *path != "" {
			e.After.Campaign = fmt.Appendf(nil,
				`{"id":%q,"video_url":"https://v/%s","country":"us","lang":"eng","start_hour":0,"end_hour":24}`, id, *path)
		}
	}
	r, err := o.Apply(t.Context(), revision.ChangeSet{Who: "test", Kind: revision.Edit, Edits: []revision.RowEdit{e}})
	require.NoError(t, err)
	return r.Number
}

func (o *fakeOperators) pin(t *testing.T, version string) {
	t.Helper()
	_, err := o.SetPin(t.Context(), o.State().Pin.Counter, version, "test", "why")
	require.NoError(t, err)
}

// version is that of a document with these ads.
func version(t *testing.T, ids ...string) string {
	t.Helper()
	index, err := compile.Compile(decoded(t, doc(ids...)), compile.Params{SourceTime: sourceTime})
	require.NoError(t, err)
	return index.Version
}

// await waits until ok holds, which is looked at whenever the Loop says that something may have changed.
func (b *bench) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		changed := b.Watch()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			require.Failf(t, "not in time", "%s; status: %+v", what, b.Status())
		}
	}
}

func (b *bench) awaitServed(t *testing.T, ids ...string) {
	t.Helper()
	want := version(t, ids...)
	b.await(t, fmt.Sprintf("served: %v", ids), func() bool { return b.sink.Published() == want })
	require.Equal(t, want, adindex.Version(b.sink.bytes()))
}

// bytes are those that were published last.
func (s *fakeSink) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.latest)
}

// pollOnce lets the Loop poll once.
func (b *bench) pollOnce() { b.PollNow(); <-b.source.asked }
