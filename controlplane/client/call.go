package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"adsidecar/controlplane/apiv1"
)

const (
	basePath = "/api/v1"

	// maxAnswer bounds an answer that is kept in memory. The largest are a thousand campaigns in two states.
	maxAnswer = 256 << 20
	// maxProblem bounds the body of an error.
	maxProblem = 8 << 20

	firstDelay    = 200 * time.Millisecond
	maxRetryAfter = 5 * time.Second
)

// Answer is what the API answered.
type Answer[T any] struct {
	Value T
	// JSON is the body as it came, without the white space around it; empty where the API answers without one.
	JSON json.RawMessage
}

// call is one request.
type call struct {
	method  string
	path    string // below basePath, escaped
	query   url.Values
	header  map[string]string
	body    []byte
	stream  io.Reader // in place of body
	comment string
}

// segment is one part of a path.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// ask makes a call whose answer is one JSON value, or empty.
func ask[T any](ctx context.Context, c *Client, r call) (Answer[T], error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	var a Answer[T]
	err := c.retried(ctx, r.method, func() error {
		response, err := c.send(ctx, r) //nolint:bodyclose // decode closes it
		if err != nil {
			return err
		}
		a, err = decode[T](c, response)
		return err
	})
	if err != nil {
		return Answer[T]{}, fmt.Errorf("%s %s: %w", r.method, c.server+basePath+r.path, caused(ctx, err))
	}
	return a, nil
}

// caused replaces an error that says no more than that the context ended.
func caused(ctx context.Context, err error) error {
	var refused *Error
	if cause := context.Cause(ctx); cause != nil && !errors.As(err, &refused) {
		return cause
	}
	return err
}

// retried does a read again that failed for a reason which may pass.
func (c *Client) retried(ctx context.Context, method string, do func() error) error {
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || method != http.MethodGet || attempt == c.attempts {
			return err
		}
		after, passing := passing(err)
		if !passing || ctx.Err() != nil {
			return err
		}
		if stopped := c.wait(ctx, max(after, delay)); stopped != nil {
			return stopped
		}
		delay *= 4
	}
}

// passing reports whether it may help to ask again, and when at the earliest.
func passing(err error) (time.Duration, bool) {
	var refused *Error
	if errors.As(err, &refused) {
		switch refused.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return refused.RetryAfter, refused.RetryAfter <= maxRetryAfter
		}
		return 0, false
	}
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return 0, true
		}
	}
	return 0, false
}

// send returns an answer that is none of an error; its body is the caller's to close.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	address := c.server + basePath + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	body := r.stream
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	request, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "adsidecar")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.comment != "" {
		if n := utf8.RuneCountInString(r.comment); n > apiv1.MaxComment {
			return nil, fmt.Errorf("comment: has %d characters, at most %d are allowed", n, apiv1.MaxComment)
		}
		request.Header.Set("X-Comment", url.PathEscape(r.comment))
	}
	for name, value := range r.header {
		request.Header.Set(name, value)
	}
	response, err := c.http.Do(request)
	if err != nil {
		var where *url.Error // names the whole URL, which the caller names already
		if errors.As(err, &where) {
			err = where.Err
		}
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer closeBody(response)
		return nil, c.problem(response)
	}
	return response, nil
}

func decode[T any](c *Client, response *http.Response) (Answer[T], error) {
	defer closeBody(response)
	body, err := readBounded(response.Body, c.limit)
	if err != nil {
		return Answer[T]{}, err
	}
	return parse[T](response.StatusCode, body)
}

// parse reads an answer, of which only some may be without a body.
func parse[T any](status int, body []byte) (Answer[T], error) {
	a := Answer[T]{JSON: bytes.TrimSpace(body)}
	if len(a.JSON) == 0 && (status == http.StatusNoContent || status == http.StatusAccepted) {
		return a, nil
	}
	if err := json.Unmarshal(a.JSON, &a.Value); err != nil {
		return Answer[T]{}, &FormatError{Err: err}
	}
	return a, nil
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return body, nil
}

// closeBody closes without reading what is left: that may be without end.
func closeBody(response *http.Response) {
	_ = response.Body.Close() // of a body that was read, or is not wanted
}
