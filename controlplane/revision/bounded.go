package revision

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// callLimit is how long a call of the store may take: whoever follows the store keeps others waiting, and a peer that begins an answer and does
// not end it would do so for ever. It is less than what a caller has who waits for that, and enough for a call's several tries.
const callLimit = 15 * time.Second

// bounded is a store whose calls end. One that is cut off is [ErrUnavailable], and may have been applied.
type bounded struct{ store Store }

func (b bounded) call(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := do(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: no answer within %v: %w", ErrUnavailable, callLimit, err)
	}
	return err
}

// Read implements [Store].
func (b bounded) Read(ctx context.Context, keys ...string) (entries []Entry, err error) {
	err = b.call(ctx, func(ctx context.Context) error {
		entries, err = b.store.Read(ctx, keys...)
		return err
	})
	return entries, err
}

// Commit implements [Store].
func (b bounded) Commit(ctx context.Context, puts ...Put) error {
	return b.call(ctx, func(ctx context.Context) error { return b.store.Commit(ctx, puts...) })
}

// Remove implements [Store].
func (b bounded) Remove(ctx context.Context, keys ...string) error {
	return b.call(ctx, func(ctx context.Context) error { return b.store.Remove(ctx, keys...) })
}
