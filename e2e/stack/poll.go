package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	pollFirst = 5 * time.Millisecond
	pollMost  = 200 * time.Millisecond
	// probeTimeout bounds one attempt of a probe, so that one lost answer does not use up the caller's time.
	probeTimeout = 5 * time.Second
)

// Poll calls probe until it returns nil, waiting a little longer after each failure (5 to 200 ms). When ctx ends, the error
// is ctx's and probe's last.
func Poll(ctx context.Context, probe func(context.Context) error) error {
	var last error
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		attempt, cancel := context.WithTimeout(ctx, probeTimeout)
		err := probe(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // not the one that ctx's own end caused
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		}
	}
}

// client is for probes: no proxy of the environment, no connection kept from one probe to the next.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// fetch GETs url and returns status and body, at most 16 MiB of it.
func fetch(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", url, err)
	}
	return res.StatusCode, body, nil
}

// answers200 is a probe: url answers 200.
func answers200(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		status, body, err := fetch(ctx, url)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("GET %s: status %d: %.200s", url, status, body)
		}
		return nil
	}
}
