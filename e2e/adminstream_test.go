package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// serversPatience is how long the admin address waits for a request that says no more, and for an answer that does not end, unless the
// request is one that may take longer.
const serversPatience = 15 * time.Second

// TestAdminStreams: what takes longer than other requests may is not cut off, with either protocol: events that nothing happens to tell of, and
// a document that comes slowly.
func TestAdminStreams(t *testing.T) {
	o := startOpenAdmin(t)
	ctx := deadline(t, time.Minute)
	group, ctx := errgroup.WithContext(ctx)
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		client := o.client(t, h2)
		open := func(method, path string, body io.Reader) (io.ReadCloser, error) {
			r, err := http.NewRequestWithContext(ctx, method, o.base+path, body)
			if err != nil {
				return nil, err
			}
			r.Header.Set("Authorization", "Bearer "+operatorToken)
			a, err := client.Do(r)
			if err != nil {
				return nil, err
			}
			if a.StatusCode != http.StatusOK || a.Proto != name {
				return nil, errors.Join(fmt.Errorf("%s %s", a.Proto, a.Status), a.Body.Close())
			}
			return a.Body, nil
		}
		group.Go(func() error {
			body, err := open(http.MethodGet, "/api/v1/events", http.NoBody)
			if err != nil {
				return fmt.Errorf("events: %w", err)
			}
			defer body.Close() //nolint:errcheck // only read
			began, lines := time.Now(), bufio.NewScanner(body)
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), ":") {
					return nil // the stream has been silent for long, and goes on
				}
			}
			return fmt.Errorf("events with %s ended after %s: %w", name, time.Since(began), errors.Join(lines.Err(), io.ErrUnexpectedEOF))
		})
		group.Go(func() error {
			from, to := io.Pipe()
			go func() {
				_, _ = io.WriteString(to, `{"ads":[`) // the answer says what is wrong
				select {
				case <-time.After(serversPatience + time.Second):
				case <-ctx.Done():
				}
				_, _ = io.WriteString(to, `]}`)
				_ = to.Close()
			}()
			body, err := open(http.MethodPost, "/api/v1/document?dry_run=true", from)
			if err != nil {
				return fmt.Errorf("import with %s: %w", name, err)
			}
			defer body.Close() //nolint:errcheck // only read
			_, err = io.ReadAll(body)
			return err
		})
	}
	require.NoError(t, group.Wait())
}
