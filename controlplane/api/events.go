package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
)

const (
	// eventStep is how often a stream looks for a change. The summary that all streams share is half of that old at most, so that a change is
	// told within one and a half of it.
	eventStep = time.Second
	// quietTime is how long a stream is silent: then it has a comment, which shows both ends that the other is there.
	quietTime = 15 * time.Second
	// eventTime is how long writing an event may take: a client that does not read is let go.
	eventTime = 10 * time.Second
)

// summaries has the last summary, which all streams share.
type summaries struct {
	mu   sync.Mutex
	at   time.Time
	last apiv1.Summary
}

// recent is the summary, at most eventStep/2 old.
func (s *server) recent() apiv1.Summary {
	s.summary.mu.Lock()
	defer s.summary.mu.Unlock()
	if now := time.Now(); s.summary.at.IsZero() || now.Sub(s.summary.at) >= eventStep/2 {
		s.summary.last, s.summary.at = s.summarize(), now
	}
	return s.summary.last
}

func (s *server) summarize() apiv1.Summary {
	status := s.Publisher.Status()
	fleet := s.describeFleet()
	_, rates := s.rates()
	sum := apiv1.Summary{
		Rejected: status.Rejected.Total, Revision: s.History.State().Rows.Revision(), Pin: s.Publisher.Pin(), Held: s.Publisher.Held(),
		SourceError: status.Source.Error, InSync: fleet.InSync, Behind: fleet.Behind, Rates: rates,
	}
	if i := status.Index; i != nil {
		sum.Version, sum.PublishedAt, sum.Ads, sum.Keys = i.Version, i.PublishedAt, i.Ads, i.Keys
	}
	if o := status.Operators; o != nil {
		sum.CompiledRevision, sum.RevisionError, sum.UnreadableRows = o.Compiled, o.Error, o.Unreadable
		if sum.OperatorsError = o.ReadError; o.ReadError != "" {
			sum.OperatorsReadAt = o.ReadAt // it would be another one with each look
		}
	}
	if status.Source.AgeSeconds != nil {
		sum.SourceAge = *status.Source.AgeSeconds
	}
	switch {
	case status.Source.Unusable():
		sum.Source = apiv1.SourceUnusable
	case status.Source.Error != "":
		sum.Source = apiv1.SourceFailing
	case status.Source.ServedFromDisk || status.Source.LastSuccess.IsZero():
		sum.Source = apiv1.SourceStale
	default:
		sum.Source = apiv1.SourceOK
	}
	return sum
}

// getSummary answers with the summary of this moment: who has just changed something sees it.
func (s *server) getSummary(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	return c.write(http.StatusOK, s.summarize())
}

// events streams the summary: at once, and then whenever it is another. An age alone, which grows all the time, is none.
func (s *server) events(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	leave, err := s.streams.enter(access.From(c.Context()))
	if err != nil {
		return err
	}
	defer leave()
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	tick := time.NewTicker(eventStep)
	defer tick.Stop()
	var last []byte
	quiet := time.Now()
	for {
		next := s.recent()
		age := next.SourceAge
		next.SourceAge = 0
		compared, err := json.Marshal(next)
		if err != nil {
			return err
		}
		message := []byte(nil)
		if !bytes.Equal(compared, last) {
			next.SourceAge = age
			body, err := json.Marshal(next)
			if err != nil {
				return err
			}
			message = append(append([]byte("event: status\ndata: "), body...), "\n\n"...)
			last = compared
		} else if time.Since(quiet) >= quietTime {
			message = []byte(": still here\n\n")
		}
		if message != nil {
			if !c.send(message) {
				return nil
			}
			quiet = time.Now()
		}
		select {
		case <-tick.C:
		case <-c.Context().Done():
			return nil
		case <-s.Done:
			return nil
		}
	}
}

// send writes to a stream; false: the client is gone. The server's own deadline is for answers that end.
func (c *call) send(message []byte) bool {
	control := http.NewResponseController(c.w)
	_ = control.SetWriteDeadline(time.Now().Add(eventTime)) // without a connection, as in tests, there is none
	if _, err := c.w.Write(message); err != nil {
		return false
	}
	err := control.Flush()
	_ = control.SetWriteDeadline(time.Time{}) // over HTTP/2 a deadline that passes between two messages ends the stream
	return err == nil
}
