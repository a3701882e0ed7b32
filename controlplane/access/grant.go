package access

import (
	"context"
	"time"
)

// tokenCheck is how often a request that lasts is asked whether its token of the file still is one.
const tokenCheck = time.Second

// grant is who may make a request, and what it ends with.
type grant struct {
	identity Identity
	// until is when it ends by itself; the zero time: never.
	until time.Time
	// ended is closed when the session is over; nil: there is no session.
	ended <-chan struct{}
	// token is the file's token that is behind it; the zero value: none is.
	token secretHash
}

// during returns a context that ends with the grant: a request may last (a stream of events), and must not outlive what it came with.
// The cancel function is to be called when the request is over.
func (g *Guard) during(ctx context.Context, a grant) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if a.until.IsZero() && a.ended == nil && a.token == (secretHash{}) {
		return ctx, cancel
	}
	go func() {
		defer cancel()
		g.last(ctx, a)
	}()
	return ctx, cancel
}

// last returns when the grant is over, or ctx is.
func (g *Guard) last(ctx context.Context, a grant) {
	var over, look <-chan time.Time
	if !a.until.IsZero() {
		timer := time.NewTimer(a.until.Sub(g.now()))
		defer timer.Stop()
		over = timer.C
	}
	if a.token != (secretHash{}) {
		ticker := time.NewTicker(g.tokenCheck)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.ended:
			return
		case <-over:
			return
		case <-look:
			if id, ok := g.file.current().find(a.token); !ok || id != a.identity {
				return
			}
		}
	}
}
