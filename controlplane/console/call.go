package console

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
)

const (
	apiPrefix = "/api/v1"
	// maxAnswer bounds what a page takes of the API: the largest is a diff of 1,000 ads with 2 KiB of address on both sides.
	maxAnswer = 16 << 20
)

// inProcess carries requests to a handler of this process, in the caller's goroutine.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody // which a handler may read
	}
	w := &answer{header: http.Header{}, request: r}
	t.handler.ServeHTTP(w, r)
	if err := r.Body.Close(); err != nil {
		return nil, fmt.Errorf("close request body: %w", err)
	}
	if w.tooLarge {
		return nil, errors.New("the API's answer is too large for a page")
	}
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// answer is a ResponseWriter in memory.
type answer struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	request  *http.Request
	tooLarge bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(p) > maxAnswer {
		a.tooLarge = true
		return 0, errors.New("the answer is too large")
	}
	return a.body.Write(p)
}

// apiError is an answer of the API that is not the one that was asked for.
type apiError struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	body    []byte
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Code, e.Message) }

// isStatus reports whether err is the API's answer with this status.
func isStatus(err error, status int) bool {
	var e *apiError
	return errors.As(err, &e) && e.status == status
}

// call is a request to the API.
type call struct {
	method string // empty: GET
	path   string // escaped, below /api/v1
	query  url.Values
	header http.Header
	body   any // nil: none
}

// segment escapes text as one segment of a path. Dots alone would be taken for a folder.
func segment(text string) string {
	if strings.Trim(text, ".") == "" {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// do asks the API as who made r, and decodes a successful answer into result unless that is nil. Errors are *apiError where the API
// answered.
func (c *console) do(r *http.Request, what call, result any) error {
	request, err := what.request(r.Context())
	if err != nil {
		return err
	}
	// The API may look at these; none of them leaves this process.
	request.Host, request.RemoteAddr, request.TLS = r.Host, r.RemoteAddr, r.TLS
	for _, name := range []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "User-Agent"} {
		if values := r.Header.Values(name); len(values) > 0 {
			request.Header[name] = values
		}
	}
	response, err := c.api.Do(request)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it is in memory
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		failure := &apiError{body: body}
		if err := json.Unmarshal(body, failure); err != nil || failure.Message == "" {
			failure.Message = "The control plane answered " + http.StatusText(response.StatusCode) + " and did not say why."
		}
		failure.status = response.StatusCode
		return failure
	}
	if result == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, result); err != nil {
		return fmt.Errorf("decode the API's answer to %s: %w", what.path, err)
	}
	return nil
}

func (what *call) request(ctx context.Context) (*http.Request, error) {
	address := "http://console.invalid" + apiPrefix + what.path
	if len(what.query) > 0 {
		address += "?" + what.query.Encode()
	}
	var body io.Reader = http.NoBody
	if what.body != nil {
		text, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, what.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if what.header != nil { // of this call alone
		request.Header = what.header
	}
	request.Header.Set("Accept", "application/json")
	if what.body != nil && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.RequestURI = "" // a client's request has none
	return request, nil
}

// get asks for one thing.
func get[T any](c *console, r *http.Request, path string, query url.Values) (T, error) {
	var result T
	err := c.do(r, call{path: path, query: query}, &result)
	return result, err
}

// find is get for what may not be there, which is nil.
func find[T any](c *console, r *http.Request, path string) (*T, error) {
	result, err := get[T](c, r, path, nil)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil //nolint:nilnil // that nothing is there is what was asked
	}
	if err != nil {
		return nil, err
	}
	return &result, nil
}

// commented is a header with why the change is made.
func commented(r *http.Request) http.Header {
	h := http.Header{}
	if comment := strings.TrimSpace(r.PostForm.Get("comment")); comment != "" {
		h.Set("X-Comment", url.PathEscape(comment))
	}
	return h
}
