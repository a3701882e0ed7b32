package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

// servedAsked says what Envoys answer, by the control plane that they get the index from. at is zero for now.
func servedAsked(ctx context.Context, r *remote, o explainOptions, at time.Time, stdout io.Writer) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := c.Served(ctx, o.country, o.lang, at)
	if err != nil {
		return failure(err)
	}
	if o.json {
		return printJSON(stdout, a.JSON)
	}
	return printServed(&a.Value, c.Server(), stdout)
}

// printServed prints the share of each ad in the turns.
func printServed(s *apiv1.Served, server string, stdout io.Writer) error {
	turns := make([]int, len(s.Ads))
	for _, place := range s.Cycle {
		if place < 0 || place >= len(turns) {
			return failure(&client.FormatError{Err: errNoAdOfTurn})
		}
		turns[place]++
	}
	if err := say(stdout, "version %s, which Envoys have from %s", s.Version, server); err != nil {
		return err
	}
	if err := say(stdout, "country %s, lang %s, %s", s.Country, s.Lang, moment(s.At)); err != nil {
		return err
	}
	if len(s.Cycle) == 0 {
		return say(stdout, "no ad: the answer is 404")
	}
	if err := say(stdout, "key %s answers, turns: %d", s.Key, len(s.Cycle)); err != nil {
		return err
	}
	t := newTable("TURNS", "ID", "URL")
	for i, ad := range s.Ads {
		t.row(strconv.Itoa(turns[i])+" of "+strconv.Itoa(len(s.Cycle)), ad.ID, ad.VideoURL)
	}
	return t.print(stdout)
}
