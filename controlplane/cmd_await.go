package main

import (
	"context"
	"fmt"
	"time"

	"adsidecar/controlplane/apiv1"
)

const (
	// publishedWithin is how long a version that was decided on may take to be published before a command says that it is not yet.
	publishedWithin = 5 * time.Second
	// lookAgain is between two looks at what is published.
	lookAgain = 100 * time.Millisecond
)

// awaitHelp ends the help of the commands that wait.
const awaitHelp = "\nThe command waits until it is published, 5 seconds at most, and says so; with -o json it does not wait."

// awaitPublished waits until a version is published, and says whether it is. That it is not yet is no error; that it cannot be is one.
func (s *session) awaitPublished(ctx context.Context, version string) error {
	s.told = true
	limit, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var last *apiv1.Summary
	for {
		a, err := s.Summary(limit)
		switch {
		case err != nil && limit.Err() == nil:
			return say(s.out, "Whether it is published is not known: %s", err)
		case err != nil: // its time is over
		case a.Value.Version == version:
			return say(s.out, "It is published.")
		default:
			last = &a.Value
		}
		if last != nil && last.Pin != nil && last.Pin.Version == version && last.Pin.Error != "" {
			return fmt.Errorf(`version %s is not published: %s; %s; "adsidecar resume" takes the pin off`, short(version), last.Pin.Error, instead(last))
		}
		select {
		case <-time.After(lookAgain):
		case <-limit.Done():
			return s.sayUnpublished(ctx, last)
		}
	}
}

// sayUnpublished says what is published in place of what should be, as it was when somebody last looked; nil: nobody could.
func (s *session) sayUnpublished(ctx context.Context, last *apiv1.Summary) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if last == nil {
		return say(s.out, "Whether it is published is not known: the control plane is slow to say.")
	}
	if err := say(s.out, "It is not published yet: %s.", instead(last)); err != nil {
		return err
	}
	return sayAll(s.out, noticesOf(last))
}
