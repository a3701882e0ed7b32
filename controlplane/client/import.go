package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"adsidecar/controlplane/apiv1"
)

const lines = "application/x-ndjson"

// ImportOptions are the choices of an import.
type ImportOptions struct {
	DryRun  bool // change nothing, and say what would change
	Comment string
	// Base is the revision that a dry run was made against: the import is refused, with a Conflict, if a campaign of the document was
	// changed since. Nil: whatever is there is replaced.
	Base *uint64
	// Progress hears how far the control plane is, in the goroutine that called Import; nil: nobody. One of an earlier version tells
	// nothing.
	Progress func(apiv1.ImportProgress)
}

// Import sends a document {"ads":[…]} as it is read from r: it adds and replaces campaigns of the operators, all or none of them. After
// an error other than an *Error they may have been changed.
func (c *Client) Import(ctx context.Context, r io.Reader, o ImportOptions) (Answer[apiv1.Imported], error) {
	ctx, watch, done := c.watch(ctx)
	defer done()
	var q url.Values
	if o.DryRun {
		q = query("dry_run", "true")
	}
	header := map[string]string{}
	if o.Progress != nil {
		header["Accept"] = lines
	}
	if o.Base != nil {
		header["If-Match"] = strconv.Quote(strconv.FormatUint(*o.Base, 10))
	}
	// Without the wrapper net/http would close a file that is the caller's.
	response, err := c.send(ctx, call{ //nolint:bodyclose // imported closes it
		method: http.MethodPost, path: "/document", query: q, header: header, stream: io.NopCloser(watch.reader(r)), comment: o.Comment,
	})
	var a Answer[apiv1.Imported]
	if err == nil {
		a, err = c.imported(response, watch, o.Progress)
	}
	if err != nil {
		return Answer[apiv1.Imported]{}, fmt.Errorf("import to %s: %w", c.server, caused(ctx, err))
	}
	return a, nil
}

// imported reads the answer, and closes it.
func (c *Client) imported(response *http.Response, watch *watched, progress func(apiv1.ImportProgress)) (Answer[apiv1.Imported], error) {
	body := response.Body
	defer func() { _ = body.Close() }() // which was read, or is not wanted
	response.Body = io.NopCloser(watch.reader(body))
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != lines || progress == nil {
		return decode[apiv1.Imported](c, response)
	}
	in := bufio.NewReaderSize(response.Body, 64<<10)
	for {
		line, err := readLine(in, c.limit)
		if err != nil {
			return Answer[apiv1.Imported]{}, err
		}
		var event struct {
			Progress *apiv1.ImportProgress `json:"progress"`
			Result   json.RawMessage       `json:"result"`
			Error    *apiv1.ImportFailure  `json:"error"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return Answer[apiv1.Imported]{}, &FormatError{Err: err}
		}
		switch {
		case event.Error != nil:
			return Answer[apiv1.Imported]{}, c.refusal(event.Error.Status, event.Error.Body, 0)
		case event.Result != nil:
			return parse[apiv1.Imported](http.StatusOK, event.Result)
		case event.Progress != nil:
			progress(*event.Progress)
		}
	}
}

// readLine reads a line of at most limit bytes, without white space around it. The end of the answer is an error: its last line is not
// for this to read.
func readLine(in *bufio.Reader, limit int64) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case int64(len(line)) > limit:
			return nil, fmt.Errorf("the answer is larger than %d bytes", limit)
		case err == nil:
			return bytes.TrimSpace(line), nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read the answer: it ends before it says what was done: %w", io.ErrUnexpectedEOF)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the answer: %w", err)
		}
	}
}
