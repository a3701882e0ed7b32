package source

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxDrain is how much of an unread body is thrown away to keep the connection. More costs more than a new one.
const maxDrain = 64 << 10

// discard ends the reading of a body, so that its connection can be used again if little is left of it.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // the answer is judged already
	_ = body.Close()
}

// readBody returns the decoded body of resp, at most limit bytes, or an error that wraps *TooLargeError. It never holds
// more than a small multiple of limit, whatever the server sends or announces.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	tooLarge := &TooLargeError{Limit: limit}
	encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	switch encoding {
	case "", "identity":
		if resp.ContentLength > limit {
			return nil, abandon(resp, tooLarge)
		}
		return readAll(resp, resp.Body, limit)
	case "gzip", "x-gzip":
	default:
		return nil, fmt.Errorf("content encoding %.32q is not supported", encoding)
	}

	// A document within the limit grows by far less than this even if gzip cannot shorten it. The bound on the wire
	// ends bodies that decompress to nothing.
	wireLimit := limit + limit/1024 + 1024
	if resp.ContentLength > wireLimit {
		return nil, abandon(resp, tooLarge)
	}
	wire := &boundedReader{from: resp.Body, left: wireLimit, err: tooLarge}
	unzip, err := gzip.NewReader(wire)
	if err != nil {
		return nil, fmt.Errorf("read gzip body: %w", err)
	}
	return readAll(resp, unzip, limit)
}

func readAll(resp *http.Response, body io.Reader, limit int64) ([]byte, error) {
	// One byte over the limit tells "too large" from "exactly at the limit".
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		err = &TooLargeError{Limit: limit}
	}
	var tooLarge *TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return nil, abandon(resp, tooLarge)
	case err != nil:
		return nil, fmt.Errorf("read body after %d bytes: %w", len(data), err)
	}
	return data, nil
}

// abandon closes the body at once: reading on would only serve a sender of endless bodies.
func abandon(resp *http.Response, err error) error {
	_ = resp.Body.Close() // nothing is read any more
	return err
}

// boundedReader reads at most left bytes and then fails with err, unlike io.LimitReader, which would make a cut body
// look like a whole one.
type boundedReader struct {
	from io.Reader
	left int64
	err  error
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.err
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
