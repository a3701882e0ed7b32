package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Answer is what came back for a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Ad is the body of an answer with status 200.
type Ad struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	VideoURL string `json:"videoUrl"`
}

// Ad decodes the body of a 200; anything else is an error.
func (a *Answer) Ad() (Ad, error) {
	var ad Ad
	if a.Status != http.StatusOK {
		return ad, fmt.Errorf("read ad: %s", a)
	}
	if err := json.Unmarshal(a.Body, &ad); err != nil {
		return ad, fmt.Errorf("read ad: %w", err)
	}
	return ad, nil
}

// Code is the code of an error body, "" if there is none.
func (a *Answer) Code() string {
	var body struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return ""
	}
	return body.Code
}

// String is the status and the beginning of the body.
func (a *Answer) String() string { return fmt.Sprintf("status %d: %.200s", a.Status, a.Body) }

// requestTimeout bounds one request of this file.
const requestTimeout = 10 * time.Second

// gamer keeps connections, as a game does.
var gamer = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// Send sends a request to url with these headers, which may be nil, and reads the answer. Connections are kept from one to the next.
func Send(ctx context.Context, method, url string, header http.Header, body []byte) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	res, err := gamer.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	a := &Answer{Status: res.StatusCode, Header: res.Header}
	if a.Body, err = io.ReadAll(io.LimitReader(res.Body, 16<<20)); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", req.URL.Path, err)
	}
	return a, nil
}

// Do sends a request to path, which may have a query, with the Authorization header as given; "" sends none.
func (e *Envoy) Do(ctx context.Context, method, path, authorization string, body []byte) (*Answer, error) {
	header := http.Header{}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	return e.Send(ctx, method, path, header, body)
}

// Send is [Send] to path, which may have a query.
func (e *Envoy) Send(ctx context.Context, method, path string, header http.Header, body []byte) (*Answer, error) {
	return Send(ctx, method, e.BaseURL+path, header, body)
}

// AdPath is /ad_request with these parameters.
func AdPath(country, lang string) string {
	return "/ad_request?" + url.Values{"country": {country}, "lang": {lang}}.Encode()
}

// WaitIndex returns when this Envoy serves an index, whatever is in it: it answers 200 or no_ad_available, not 503.
func (e *Envoy) WaitIndex(ctx context.Context, authorization string) error {
	return e.Process().WaitFor(ctx, "serving an index", func(ctx context.Context) error {
		a, err := e.Do(ctx, http.MethodGet, AdPath("us", "eng"), authorization, nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK && a.Code() != "no_ad_available" {
			return errors.New(a.String())
		}
		return nil
	})
}

// BaseURL is the first Envoy's public URL.
func (s *Stack) BaseURL() string { return s.Envoy().BaseURL }

// Token is the demo user's access token, which lives an hour. "" with NoMoto.
func (s *Stack) Token() string {
	if s.tokens == nil {
		return ""
	}
	return s.tokens.AccessToken
}

// Tokens are what the demo user's sign-in gave. Nil with NoMoto.
func (s *Stack) Tokens() *Tokens { return s.tokens }

// Get asks the first Envoy for an ad with the demo user's access token, as Bearer.
func (s *Stack) Get(ctx context.Context, country, lang string) (*Answer, error) {
	return s.Envoy().Do(ctx, http.MethodGet, AdPath(country, lang), "Bearer "+s.Token(), nil)
}

// WaitServed returns when the first Envoy serves an index. Its error has the last answer and Envoy's last log lines.
func (s *Stack) WaitServed(ctx context.Context) error {
	return s.Envoy().WaitIndex(ctx, "Bearer "+s.Token())
}

// SignedIn is the answer of a sign-in.
type SignedIn struct {
	IDToken string `json:"id_token"`
	UserID  string `json:"user_id"` // the token's sub
	IsNew   string `json:"is_new"`  // "true" or "false"
}

// SignIn signs the user in by /authenticate of the user service, which makes a user that the pool does not know.
func (e *Envoy) SignIn(ctx context.Context, username, password string) (*SignedIn, error) {
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	a, err := e.Do(ctx, http.MethodPost, "/authenticate", "", body)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	var in SignedIn
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("sign in: %s", a)
	}
	if err := json.Unmarshal(a.Body, &in); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return &in, nil
}
