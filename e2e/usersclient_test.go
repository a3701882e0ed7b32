package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

// profile is what clients write into a record and read from it.
type profile struct {
	Title        string `json:"title"`
	FirstName    string `json:"firstName"`
	LastName     string `json:"lastName"`
	MobileNumber string `json:"mobileNumber"`
	Address      struct {
		Postcode    string `json:"postcode"`
		Suburb      string `json:"suburb"`
		State       string `json:"state"`
		FullAddress string `json:"fullAddress"`
	} `json:"address"`
}

// profileFields lead to each value of a profile.
var profileFields = []func(*profile) *string{
	func(p *profile) *string { return &p.Title },
	func(p *profile) *string { return &p.FirstName },
	func(p *profile) *string { return &p.LastName },
	func(p *profile) *string { return &p.MobileNumber },
	func(p *profile) *string { return &p.Address.Postcode },
	func(p *profile) *string { return &p.Address.Suburb },
	func(p *profile) *string { return &p.Address.State },
	func(p *profile) *string { return &p.Address.FullAddress },
}

// profileOf is a profile whose every value is made of mark, of at most 15 characters: what was written half, or over something else, shows.
func profileOf(mark string) profile {
	var p profile
	for i, field := range profileFields {
		*field(&p) = string(rune('a'+i)) + mark
	}
	return p
}

// markOf is the mark of a profile that was written wholly.
func markOf(p profile) (string, error) {
	mark := strings.TrimPrefix(p.Title, "a")
	if p != profileOf(mark) {
		return "", fmt.Errorf("written half: %+v", p)
	}
	return mark, nil
}

// usersReady starts a stack with a user service that Envoy finds ready.
func usersReady(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	s := start(t, o)
	require.NoError(t, s.Envoy().WaitUsers(deadline(t, 30*time.Second)))
	return s
}

// userAccount is somebody who has signed in.
type userAccount struct {
	url, token, sub string
}

// signUp signs somebody in by /authenticate, who is new there.
func signUp(t *testing.T, s *stack.Stack, name string) *userAccount {
	t.Helper()
	in, err := s.Envoy().SignIn(deadline(t, 30*time.Second), fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), "a-password")
	require.NoError(t, err)
	require.Equal(t, "true", in.IsNew)
	return &userAccount{url: s.BaseURL(), token: in.IDToken, sub: in.UserID}
}

// userConn is a connection of a user to the gateway, which is kept, or to a process of the service. It takes one request at a time.
type userConn struct {
	client *http.Client
	url    string
	token  string
	dials  atomic.Int64
	cut    atomic.Int64 // answers, and the connection with each
}

// connect opens n connections at their first requests. Each must still be there at the end of the test, unless an answer was cut off: a
// client that opens another may have sent a request twice, and hide a failure.
func (u *userAccount) connect(t *testing.T, n int) []*userConn {
	t.Helper()
	conns := make([]*userConn, n)
	for i := range conns {
		conns[i] = u.connectTo(t, u.url)
		t.Cleanup(func() {
			require.LessOrEqual(t, conns[i].dials.Load(), 1+conns[i].cut.Load(), "connections of one client")
		})
	}
	return conns
}

// connectTo is a connection to another address.
func (u *userAccount) connectTo(t *testing.T, url string) *userConn {
	t.Helper()
	c := &userConn{url: url, token: u.token}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c.dials.Add(1)
		return dialer.DialContext(ctx, network, address)
	}}
	c.client = &http.Client{Transport: transport, Timeout: 25 * time.Second} // Envoy gives the service 15 s
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// otherAnswer is an answer with another status than the one of success.
type otherAnswer struct{ *stack.Answer }

// Error implements error.
func (r *otherAnswer) Error() string { return r.String() }

// cutError is an answer that has begun, with the status of success, and does not end: its server was killed after the first bytes. Envoy
// has passed them on, so it can neither send the request again nor answer in its own name.
type cutError struct{ cause error }

// Error implements error.
func (e *cutError) Error() string { return "the answer was cut off: " + e.cause.Error() }

// isCut reports whether err is a [cutError].
func isCut(err error) bool { return errors.As(err, new(*cutError)) }

// saysUnavailable returns nil for an answer that says so in the way of the product, with a code and when to come back, and err otherwise.
func saysUnavailable(err error) error {
	var r *otherAnswer
	if errors.As(err, &r) && slices.Contains([]string{"upstream_unavailable", "store_unavailable"}, r.Code()) &&
		r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" {
		return nil
	}
	return err
}

// send sends one request and decodes its answer into out. It is not under the test's context: what the test's end interrupts has not
// failed.
func (c *userConn) send(method, path string, header map[string]string, body any, want int, out any) (http.Header, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(context.Background(), method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		c.cut.Add(1)
		if resp.StatusCode == want {
			err = &cutError{err}
		}
		return nil, err
	}
	if resp.StatusCode != want {
		return nil, &otherAnswer{&stack.Answer{Status: resp.StatusCode, Header: resp.Header, Body: answer}}
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		return nil, fmt.Errorf("read %q: %w", answer, err)
	}
	return resp.Header, nil
}

// creation is the answer of a create.
type creation struct {
	UserID   string `json:"userId"`
	Message  string `json:"message"`
	location string
}

var eightDigits = regexp.MustCompile(`^[0-9]{8}$`)

// create makes a record; key is its Idempotency-Key, "" for none.
func (c *userConn) create(p profile, key string) (creation, error) {
	header := map[string]string{}
	if key != "" {
		header["Idempotency-Key"] = key
	}
	var made creation
	answer, err := c.send(http.MethodPost, "/create", header, p, http.StatusCreated, &made)
	if err != nil {
		return creation{}, fmt.Errorf("create: %w", err)
	}
	made.location = answer.Get("Location")
	if !eightDigits.MatchString(made.UserID) || made.location != "read?userId="+made.UserID || answer.Get("ETag") != `"1"` ||
		made.Message != p.Title+" "+p.FirstName+" has been added with userid: "+made.UserID {
		return creation{}, fmt.Errorf("create: answered %+v with ETag %s", made, answer.Get("ETag"))
	}
	return made, nil
}

// read is a record and its version.
func (c *userConn) read(userID string) (profile, int64, error) {
	var got struct {
		UserID string `json:"userId"`
		profile
	}
	header, err := c.send(http.MethodGet, "/read?userId="+userID, nil, nil, http.StatusOK, &got)
	if err != nil {
		return profile{}, 0, fmt.Errorf("read: %w", err)
	}
	if got.UserID != userID {
		return profile{}, 0, fmt.Errorf("read: %s was asked for, %s answered", userID, got.UserID)
	}
	version, err := versionOf(header)
	return got.profile, version, err
}

// update writes a whole profile and returns the record as it is then. ifMatch is the header's value, "" for none.
func (c *userConn) update(userID string, p profile, ifMatch string) (profile, int64, error) {
	return c.put(ifMatch, struct {
		UserID string `json:"userId"`
		profile
	}{userID, p})
}

// set is update of the single value that profileFields[field] leads to.
func (c *userConn) set(userID string, field int, value string) (profile, int64, error) {
	var p profile
	*profileFields[field](&p) = value
	text, err := json.Marshal(p)
	if err != nil {
		return profile{}, 0, err
	}
	var change map[string]any
	if err := json.Unmarshal(text, &change); err != nil {
		return profile{}, 0, err
	}
	withoutEmpty(change)
	change["userId"] = userID
	return c.put("", change)
}

// withoutEmpty removes what an update is to leave as it is.
func withoutEmpty(change map[string]any) {
	for name, value := range change {
		if below, ok := value.(map[string]any); ok {
			withoutEmpty(below)
			if len(below) == 0 {
				delete(change, name)
			}
		}
		if value == "" {
			delete(change, name)
		}
	}
}

func (c *userConn) put(ifMatch string, change any) (profile, int64, error) {
	header := map[string]string{}
	if ifMatch != "" {
		header["If-Match"] = ifMatch
	}
	var got profile
	answer, err := c.send(http.MethodPut, "/update", header, change, http.StatusOK, &got)
	if err != nil {
		return profile{}, 0, fmt.Errorf("update: %w", err)
	}
	version, err := versionOf(answer)
	return got, version, err
}

// versionOf is that of an ETag.
func versionOf(h http.Header) (int64, error) {
	tag := h.Get("ETag")
	version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || tag != etagOf(version) {
		return 0, fmt.Errorf("the ETag %q is no version", tag)
	}
	return version, nil
}

// etagOf is the ETag of a version.
func etagOf(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// atOnce runs do n times at once, with 0 to n-1, and requires that none fails.
func atOnce(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}
