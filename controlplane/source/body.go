package source

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDrain is how much of an unread body is thrown away to keep the connection. More costs more than a new one.
const maxDrain = 64 << 10

// discard ends the reading of a body, so that its connection can be used again if little is left of it.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // the answer is judged already
	_ = body.Close()
}

// An answer is the body of a response, as it comes. Whoever made it closes it.
type answer struct {
	body     io.ReadCloser
	encoding string // Content-Encoding
	length   int64  // Content-Length; -1: not known
}

// read returns the decoded body, at most limit bytes, or an error that wraps *TooLargeError. It never holds more than a small multiple
// of limit, whatever the server sends or announces.
func (a answer) read(limit int64) ([]byte, error) {
	tooLarge := &TooLargeError{Limit: limit}
	encoding := strings.ToLower(strings.TrimSpace(a.encoding))
	switch encoding {
	case "", "identity":
		if a.length > limit {
			return nil, a.abandon(tooLarge)
		}
		return a.readAll(a.body, limit)
	case "gzip", "x-gzip":
	default:
		return nil, fmt.Errorf("content encoding %.32q is not supported", encoding)
	}

	// A document within the limit grows by far less than this even if gzip cannot shorten it. The bound on the wire
	// ends bodies that decompress to nothing.
	wireLimit := limit + limit/1024 + 1024
	if a.length > wireLimit {
		return nil, a.abandon(tooLarge)
	}
	wire := &boundedReader{from: a.body, left: wireLimit, err: tooLarge}
	unzip, err := gzip.NewReader(wire)
	if err != nil {
		return nil, fmt.Errorf("read gzip body: %w", err)
	}
	return a.readAll(unzip, limit)
}

func (a answer) readAll(body io.Reader, limit int64) ([]byte, error) {
	// One byte over the limit tells "too large" from "exactly at the limit".
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		err = &TooLargeError{Limit: limit}
	}
	var tooLarge *TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return nil, a.abandon(tooLarge)
	case err != nil:
		return nil, fmt.Errorf("read body after %d bytes: %w", len(data), err)
	}
	return data, nil
}

// abandon closes the body at once: reading on would only serve a sender of endless bodies.
func (a answer) abandon(err error) error {
	_ = a.body.Close() // nothing is read any more
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
