package api

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/users/record"
)

// fakeAccounts is an Accounts that knows one user, and does as hook says where there is one.
type fakeAccounts struct {
	hook func(ctx context.Context, username, password string) (account.Session, error)
}

const (
	knownUser     = "john"
	knownPassword = "randompassword"
	idToken       = "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl"
)

func (f *fakeAccounts) SignIn(ctx context.Context, username, password string) (account.Session, error) {
	switch {
	case f.hook != nil:
		return f.hook(ctx, username, password)
	case username == knownUser && password != knownPassword:
		return account.Session{}, account.ErrRefused
	default:
		return account.Session{IDToken: idToken, UserID: "sub-of-" + username, New: username != knownUser}, nil
	}
}

// fakeTokens is a Tokens whose tokens are names: of users, or of what is wrong with them.
type fakeTokens struct{}

func (fakeTokens) Verify(ctx context.Context, authorization string) (token.Claims, error) {
	switch authorization {
	case "Bearer alice", "alice", "Bearer bob":
		return token.Claims{Subject: strings.TrimPrefix(authorization, "Bearer ")}, nil
	case "Bearer operator":
		return token.Claims{Subject: "operator", Groups: []string{"players", "", "operators"}}, nil
	case "Bearer foreign":
		return token.Claims{}, token.ErrForbidden
	case "Bearer keyless":
		return token.Claims{}, token.ErrUnavailable
	case "Bearer hang":
		<-ctx.Done()
		return token.Claims{}, ctx.Err()
	default:
		return token.Claims{}, token.ErrUnauthorized
	}
}

// fakeStore is a record.Store in memory. hook, where there is one, is called before each call, and its error returned in place of it.
type fakeStore struct {
	hook func(ctx context.Context) error

	mu      sync.Mutex
	records map[string]record.Record
	keys    map[string]record.Key
}

func newFakeStore() *fakeStore {
	return &fakeStore{records: map[string]record.Record{}, keys: map[string]record.Key{}}
}

func (f *fakeStore) before(ctx context.Context) error {
	if f.hook != nil {
		return f.hook(ctx)
	}
	return ctx.Err()
}

func (f *fakeStore) Create(ctx context.Context, r record.Record, key *record.Key, now time.Time) error {
	if err := f.before(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if key != nil {
		if k, ok := f.keys[key.Name]; ok && now.Before(k.Expires) {
			return record.ErrKeyTaken
		}
	}
	if _, ok := f.records[r.UserID]; ok {
		return record.ErrExists
	}
	f.records[r.UserID] = r
	if key != nil {
		f.keys[key.Name] = *key
	}
	return nil
}

func (f *fakeStore) Key(ctx context.Context, name string, now time.Time) (record.Key, error) {
	if err := f.before(ctx); err != nil {
		return record.Key{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if k, ok := f.keys[name]; ok && now.Before(k.Expires) {
		return k, nil
	}
	return record.Key{}, record.ErrNotFound
}

func (f *fakeStore) Read(ctx context.Context, userID string) (record.Record, error) {
	if err := f.before(ctx); err != nil {
		return record.Record{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, ok := f.records[userID]; ok {
		return r, nil
	}
	return record.Record{}, record.ErrNotFound
}

func (f *fakeStore) Update(ctx context.Context, r, from record.Record) error {
	if err := f.before(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch old, ok := f.records[r.UserID]; {
	case !ok:
		return record.ErrNotFound
	case old.Version != from.Version:
		return record.ErrVersion
	default:
		r.Owner = old.Owner
		f.records[r.UserID] = r
		return nil
	}
}

func (f *fakeStore) Ready(ctx context.Context) error { return f.before(ctx) }

// all are the records, for tests that look behind the API.
func (f *fakeStore) all() []record.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rs []record.Record
	for _, r := range f.records {
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b record.Record) int { return int(a.Version - b.Version) })
	return rs
}

// hang is a hook: a part that does not answer.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
