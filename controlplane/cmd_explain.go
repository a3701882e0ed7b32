package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
	"adsidecar/controlplane/compile"
)

// asked reports whether explain is to ask a control plane in place of reading a document: where one is named, and no document is.
func (o *explainOptions) asked(cmd *cobra.Command) bool {
	if o.campaigns != "" || o.lastGood {
		return false
	}
	return o.live || o.published || cmd.Flags().Changed("server") || os.Getenv(serverVariable) != ""
}

// explainAsked explains what the control plane has in force, its operators' changes included. at is zero for now.
func explainAsked(ctx context.Context, r *remote, o explainOptions, at time.Time, stdout io.Writer) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := c.Explain(ctx, o.country, o.lang, at)
	if err != nil {
		return failure(err)
	}
	if o.json {
		return printJSON(stdout, a.JSON)
	}
	var e struct {
		compile.Explanation
		apiv1.Basis
	}
	if err := json.Unmarshal(a.JSON, &e); err != nil {
		return failure(&client.FormatError{Err: err})
	}
	for _, turn := range e.Cycle {
		if turn < 0 || turn >= len(e.Eligible) {
			return failure(&client.FormatError{Err: errNoAdOfTurn})
		}
	}
	if err := say(stdout, "document: what is in force at %s", c.Server()); err != nil {
		return err
	}
	if e.Ahead {
		if err := sayAhead(ctx, c, e.Version, stdout); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, lines(e.String()))
	return err
}

var errNoAdOfTurn = errors.New("cycle: names an ad that is not there")

// sayAhead says that what is explained is not what games get, and why.
func sayAhead(ctx context.Context, c *client.Client, published string, stdout io.Writer) error {
	text := "This is not published: games get version " + published + ", which --published shows."
	if published == "" {
		text = "This is not published: nothing is."
	}
	if err := say(stdout, "%s", text); err != nil {
		return err
	}
	why := notices(ctx, c)
	if len(why) == 0 {
		why = []string{"The control plane is about to publish it."}
	}
	return sayAll(stdout, why)
}
