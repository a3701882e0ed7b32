package api

import (
	"errors"
	"io"
	"net/http"
	"os"
)

const (
	// maxBody is the longest body that is read, in bytes.
	maxBody = 64 << 10
	// maxDrained is how much of a longer one is let pass. Beyond it the connection is closed.
	maxDrained = 8 << 20
)

var (
	errTooLarge = newProblem(http.StatusRequestEntityTooLarge, "payload_too_large", "The body is larger than 64 KiB.", nil)
	errTooSlow  = newProblem(http.StatusRequestTimeout, "request_timeout", "The request took too long to arrive.", nil)
	errBroken   = newProblem(http.StatusBadRequest, "bad_request", "The request is malformed.", nil)
)

// readBody reads the whole body, whatever its Content-Type says. One that is too large is read to its end all the same before it is
// refused: a proxy that is still sending would see a reset instead of the answer.
func (c *call) readBody() ([]byte, error) {
	// A body that trickles does not end with the context by itself. The server takes the deadline back once it has read the whole body;
	// until then it must stay, as the server waits for the rest of a body that was refused. Where there is no connection to set it for,
	// as in tests, there is none that trickles.
	if deadline, ok := c.Context().Deadline(); ok {
		_ = http.NewResponseController(c.w).SetReadDeadline(deadline)
	}
	body, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err == nil && len(body) <= maxBody {
		return body, nil
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, c.Body, maxDrained)
		if err == nil || errors.Is(err, io.EOF) {
			return nil, errTooLarge
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errTooSlow
	}
	return nil, errBroken
}
