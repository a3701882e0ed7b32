package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// watched ends its context when nothing was read for a while.
type watched struct {
	timer *time.Timer
	limit time.Duration
}

// watch returns the context of a stream.
func (c *Client) watch(ctx context.Context) (context.Context, *watched, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{limit: c.silence}
	w.timer = time.AfterFunc(c.silence, func() {
		cancel(fmt.Errorf("nothing was heard for %s: %w", c.silence, context.DeadlineExceeded))
	})
	return ctx, w, func() {
		w.timer.Stop()
		cancel(nil)
	}
}

// reader passes r on.
func (w *watched) reader(r io.Reader) io.Reader { return &watchedReader{w, r} }

type watchedReader struct {
	*watched
	from io.Reader
}

// Read implements io.Reader.
func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.timer.Reset(r.limit)
	}
	return n, err
}

// Export writes the document that is in force to w as it comes, and returns its length. With an origin it is that one's campaigns alone.
// After an error w has a part of it.
func (c *Client) Export(ctx context.Context, origin string, w io.Writer) (int64, error) {
	ctx, watch, done := c.watch(ctx)
	defer done()
	r := call{method: http.MethodGet, path: "/document", query: query("origin", origin)}
	var response *http.Response
	err := c.retried(ctx, r.method, func() (err error) {
		response, err = c.send(ctx, r) //nolint:bodyclose // closed below
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("export from %s: %w", c.server, caused(ctx, err))
	}
	defer closeBody(response)
	n, err := io.Copy(w, watch.reader(response.Body))
	if err != nil {
		return n, fmt.Errorf("export from %s: ended after %d bytes, which are not the whole document: %w", c.server, n, caused(ctx, err))
	}
	return n, nil
}

// query leaves out what is empty.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
