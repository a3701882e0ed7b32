package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"adsidecar/e2e/bench/workload"
	"adsidecar/e2e/stack"
)

const (
	// checked is how many requests of the sequence are looked at in full.
	checked = 200
	// turned is how many keys are asked until their rotation has come round.
	turned = 5
)

// answerHeaders are those of every answer of the ad request; those without a value differ from one to the next.
var answerHeaders = map[string]string{
	"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	"Content-Length": "", "Date": "", "X-Request-Id": "",
}

// check asks a gateway as the measurement will, and looks at everything in the answers: they must be those of the table, byte by byte,
// each key's in their turns, and nobody without a token gets one. constant is the one answer of a gateway that has no other.
func (e *edge) check(ctx context.Context, g *gateway, constant string) error {
	for hour := -1; hour != hourOf(time.Now()); { // again, if the hour ended meanwhile
		hour = hourOf(time.Now())
		err := e.checkAt(ctx, g, constant, hour)
		if err != nil && hour == hourOf(time.Now()) {
			return err
		}
	}
	a, err := stack.Send(ctx, http.MethodGet, g.listener.URL()+adPath(e.requests[0]), nil, nil)
	if err == nil && a.Status != http.StatusUnauthorized {
		err = fmt.Errorf("without a token: %s", a)
	}
	return err
}

func (e *edge) checkAt(ctx context.Context, g *gateway, constant string, hour int) error {
	for _, r := range e.requests[:checked] {
		body, err := e.ask(ctx, g, r, constant != "")
		if err != nil {
			return err
		}
		cycle := e.table.cycle(r.Key, hour)
		switch {
		case constant != "":
			cycle = []string{constant}
		case r.Miss:
			cycle = []string{noAdBody}
		}
		if !slices.Contains(cycle, body) {
			return fmt.Errorf("%v: %s is none of its answers", r.Key, body)
		}
	}
	if constant != "" || g.workers > 1 { // each worker has turns of its own
		return nil
	}
	return e.checkTurns(ctx, g, hour)
}

// checkTurns asks keys with a few answers until each was given twice.
func (e *edge) checkTurns(ctx context.Context, g *gateway, hour int) error {
	left := turned
	for _, r := range e.requests {
		if left == 0 {
			return nil
		}
		if len(e.table[r.Key]) > 100 {
			continue // its turns take long
		}
		cycle := e.table.cycle(r.Key, hour)
		if len(cycle) == 0 || len(cycle) == 1 && len(e.table) > smallAds { // the keys of a small table have one ad each
			continue
		}
		left--
		first, err := e.ask(ctx, g, r, false)
		if err != nil {
			return err
		}
		at := slices.Index(cycle, first)
		for i := 1; i <= 2*len(cycle); i++ {
			body, err := e.ask(ctx, g, r, false)
			if err != nil {
				return err
			}
			if want := cycle[(at+i)%len(cycle)]; at < 0 || body != want {
				return fmt.Errorf("%v: turn %d after %s is %s, not %s", r.Key, i, first, body, want)
			}
		}
	}
	return errors.New("the table has too few keys whose answers take turns")
}

// ask returns the body of an answer whose status and headers are right.
func (e *edge) ask(ctx context.Context, g *gateway, r workload.Request, always bool) (string, error) {
	a, err := stack.Send(ctx, http.MethodGet, g.listener.URL()+adPath(r), http.Header{"Authorization": {"Bearer " + e.token}}, nil)
	if err != nil {
		return "", err
	}
	want := http.StatusOK
	if r.Miss && !always {
		want = http.StatusNotFound
	}
	if a.Status != want {
		return "", fmt.Errorf("%v: status %d instead of %d: %.200s", r.Key, a.Status, want, a.Body)
	}
	names := slices.Sorted(maps.Keys(a.Header))
	if expected := slices.Sorted(maps.Keys(answerHeaders)); !slices.Equal(names, expected) {
		return "", fmt.Errorf("%v: the headers are %v, not %v", r.Key, names, expected)
	}
	for name, value := range answerHeaders {
		if got := a.Header.Values(name); len(got) != 1 || value != "" && got[0] != value {
			return "", fmt.Errorf("%v: header %s is %q", r.Key, name, got)
		}
	}
	return string(a.Body), nil
}
