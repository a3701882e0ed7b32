package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"adsidecar/e2e/bench/report"
	"adsidecar/e2e/stack"
)

const (
	// manyConnections is the number where there is more than one: enough to keep every core of a small machine busy.
	manyConnections = 16
	// records are read in turn. They are more than there are connections, and their pages are in memory anyway.
	records = 64
	// sample is how many answers of a contender are looked at in full.
	sample = 20
)

// attributes are those of every record.
const attributes = `{"title":"Mr","firstName":"John","lastName":"Smith","mobileNumber":"047777777",` +
	`"address":{"postcode":"2040","suburb":"leichhdart","state":"NSW","fullAddress":"1 Norton Street"}}`

// userService is the user service under test, with a player who is signed in: games keep their token, so nobody signs in while it is
// measured.
type userService struct {
	stack *stack.Stack
	token string
	ids   []string // records of the player
	next  atomic.Int64
}

const usersPart = "users"

// runUsers measures reading and creating a record.
func runUsers(ctx context.Context, o options, rec *recorder) error {
	o = o.or(5, 2*time.Second, 2, time.Second)
	rec.part(ctx, usersPart, 5*time.Minute, &report.Result{Title: "User service"}, func(ctx context.Context, r *report.Result) error {
		return measureUsers(ctx, o, r)
	})
	return nil
}

func measureUsers(ctx context.Context, o options, r *report.Result) (err error) {
	s, err := stack.Start(ctx, stack.Options{
		Tools: o.tools, Programs: o.programs, Users: &stack.UsersOptions{}, Progress: func(what string) { o.say("starting: %s", what) },
		Concurrency:  runtime.NumCPU(), // as Envoy would do by itself
		PollInterval: time.Hour,        // the control plane has nothing to do meanwhile
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	contenders, err := users(ctx, s)
	if err != nil {
		return err
	}
	defer closeAll(contenders)
	if err := checkAll(ctx, contenders); err != nil {
		return err
	}
	r.Method = []string{
		"Contenders of one table ask for the same thing over the same number of connections, each of which stays open and sends one request after the " +
			"other; Envoy has a worker for each core. Before anything is timed, each contender proves on a sample that it gets right answers; while it is " +
			"timed, every answer must have the right status. Records are in the embedded store.",
		fmt.Sprintf("A synced write of 4 KiB took %.2f ms on this disk.", milliseconds(syncTime(s.Dir))),
	}
	o.say("measuring: %d contenders, about %s", len(contenders), (time.Duration(len(contenders)*o.rounds) * o.duration).Round(time.Second))
	all, err := measure(ctx, contenders, o.rounds, o.duration)
	if len(all[0].Rounds) > 0 {
		r.Tables = tables(all)
	}
	return err
}

// users are the contenders at the user service, with its embedded store.
func users(ctx context.Context, s *stack.Stack) ([]*contender, error) {
	if err := s.Envoy().WaitUsers(ctx); err != nil {
		return nil, err
	}
	in, err := s.Envoy().SignIn(ctx, "bench", "bench-password")
	if err != nil {
		return nil, err
	}
	u := &userService{stack: s, token: in.IDToken}
	setup := newClient(false)
	defer setup.CloseIdleConnections()
	for range records {
		id, err := u.create(ctx, setup, s.Users().URL)
		if err != nil {
			return nil, err
		}
		u.ids = append(u.ids, id)
	}
	var all []*contender
	for _, group := range []struct {
		name        string
		connections int
		ask         func(ctx context.Context, client *http.Client, base string) error
		check       func(ctx context.Context, client *http.Client, base string) error
	}{
		{"read, 1 connection", 1, u.askRead, u.checkRead},
		{"read, 16 connections", manyConnections, u.askRead, u.checkRead},
		{"create, 1 connection", 1, u.askCreate, u.checkCreate},
		{"create, 16 connections", manyConnections, u.askCreate, u.checkCreate},
	} {
		for _, way := range u.ways() {
			c := &contender{group: group.name, name: way.name, processes: way.processes}
			var clients []*http.Client
			for range group.connections {
				client := newClient(way.http2)
				clients = append(clients, client)
				c.asks = append(c.asks, func(ctx context.Context) error { return group.ask(ctx, client, way.base) })
			}
			c.check = func(ctx context.Context) error {
				for range sample {
					if err := group.check(ctx, clients[0], way.base); err != nil {
						return err
					}
				}
				return nil
			}
			c.close = func() {
				for _, client := range clients {
					client.CloseIdleConnections()
				}
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// way is how the service is reached.
type way struct {
	name, base string
	http2      bool
	processes  map[string]int
}

func (u *userService) ways() []way {
	service := u.stack.Users()
	own := map[string]int{"users": service.Process().PID()}
	through := map[string]int{"users": service.Process().PID(), "envoy": u.stack.Envoy().Process().PID()}
	return []way{
		{name: "through Envoy, HTTP/1.1", base: u.stack.BaseURL(), processes: through},
		{name: "direct, HTTP/1.1", base: service.URL, processes: own},
		{name: "direct, HTTP/2", base: service.URL, http2: true, processes: own},
	}
}

// newClient keeps one connection, HTTP/2 without TLS or HTTP/1.1.
func newClient(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true, Protocols: protocols,
	}}
}

// send sends a request with the player's token, and returns the answer with its body read to the end.
func (u *userService) send(ctx context.Context, client *http.Client, method, url, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+u.token)
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(res.Body)
	return res, answer, err
}

// id is the next record to read.
func (u *userService) id() string { return u.ids[int(u.next.Add(1))%len(u.ids)] }

func (u *userService) askRead(ctx context.Context, client *http.Client, base string) error {
	res, answer, err := u.send(ctx, client, http.MethodGet, base+"/read?userId="+u.id(), "")
	return want(http.StatusOK, res, answer, err)
}

func (u *userService) askCreate(ctx context.Context, client *http.Client, base string) error {
	res, answer, err := u.send(ctx, client, http.MethodPost, base+"/create", attributes)
	return want(http.StatusCreated, res, answer, err)
}

// want is the error of an answer with another status.
func want(status int, res *http.Response, answer []byte, err error) error {
	if err == nil && res.StatusCode != status {
		err = fmt.Errorf("status %d: %.200s", res.StatusCode, answer)
	}
	return err
}

// checkRead reads a record that is known.
func (u *userService) checkRead(ctx context.Context, client *http.Client, base string) error {
	return u.isRecord(ctx, client, base, u.id())
}

// checkCreate creates a record and reads it.
func (u *userService) checkCreate(ctx context.Context, client *http.Client, base string) error {
	id, err := u.create(ctx, client, base)
	if err != nil {
		return err
	}
	if slices.Contains(u.ids, id) {
		return errors.New("the new record has the ID of another one")
	}
	return u.isRecord(ctx, client, base, id)
}

func (u *userService) isRecord(ctx context.Context, client *http.Client, base, id string) error {
	res, answer, err := u.send(ctx, client, http.MethodGet, base+"/read?userId="+id, "")
	if err := want(http.StatusOK, res, answer, err); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	record := `{"userId":` + strconv.Quote(id) + `,` + attributes[1:]
	if string(bytes.TrimSpace(answer)) != record || res.Header.Get("ETag") != `"1"` {
		return fmt.Errorf("read: %s with ETag %s, not %s", answer, res.Header.Get("ETag"), record)
	}
	return nil
}

func (u *userService) create(ctx context.Context, client *http.Client, base string) (string, error) {
	res, answer, err := u.send(ctx, client, http.MethodPost, base+"/create", attributes)
	if err := want(http.StatusCreated, res, answer, err); err != nil {
		return "", fmt.Errorf("create: %w", err)
	}
	var created struct{ UserID string }
	if err := json.Unmarshal(answer, &created); err != nil {
		return "", fmt.Errorf("create: %w", err)
	}
	return created.UserID, nil
}
