package api

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/access"
	"adsidecar/controlplane/apiv1"
	"adsidecar/internal/web"
)

// linesType is the media type of an answer of lines, each of them JSON.
const linesType = "application/x-ndjson"

// lineStep is how often at most a line tells of progress.
const lineStep = 200 * time.Millisecond

// wantsLines says that the client names the type of lines among those that it accepts.
func (c *call) wantsLines() bool {
	for _, part := range strings.Split(strings.Join(c.Header.Values("Accept"), ","), ",") {
		name, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), linesType) {
			return true
		}
	}
	return false
}

// progress is how far an import is. A nil one tells nobody.
type progress struct {
	mu   sync.Mutex
	last apiv1.ImportProgress
}

func (p *progress) at(phase string, done, total int) {
	if p != nil {
		p.set(apiv1.ImportProgress{Phase: phase, Done: int64(done), Total: int64(total)})
	}
}

func (p *progress) set(now apiv1.ImportProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = now
}

func (p *progress) get() apiv1.ImportProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// reading tells how much of a body has been read; length is negative if it is not known.
func (p *progress) reading(body io.Reader, length int64) io.Reader {
	if p == nil {
		return body
	}
	r := &counted{Reader: body, to: p, now: apiv1.ImportProgress{Phase: apiv1.Receiving, Total: max(length, 0)}}
	p.set(r.now)
	return r
}

type counted struct {
	io.Reader

	to  *progress
	now apiv1.ImportProgress
}

// Read implements io.Reader.
func (r *counted) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.now.Done += int64(n)
	r.to.set(r.now)
	return n, err
}

// answerInLines does work and tells how far it is, from the beginning of the body on: over HTTP/1 as well, where answers begin after that
// otherwise. What the answer would have been is the last line.
func (c *call) answerInLines(work func(*progress) (apiv1.Imported, error)) error {
	_ = http.NewResponseController(c.w).EnableFullDuplex() // without a connection, as in tests, there is nothing to do
	h := c.w.Header()
	h.Set("Content-Type", linesType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK)
	last := c.working(work)
	c.line(last)
	return nil
}

// working returns the last line. The status of an answer that failed, by a panic too, stands in the audit's line at least.
func (c *call) working(work func(*progress) (apiv1.Imported, error)) apiv1.ImportEvent {
	access.Failed(c.Context(), http.StatusInternalServerError)
	p := &progress{}
	end := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { c.tell(p, end) })
	defer telling.Wait()
	defer close(end)
	answer, err := work(p)
	if err == nil {
		access.Failed(c.Context(), 0)
		return apiv1.ImportEvent{Result: &answer}
	}
	refused := c.problem(err)
	access.Failed(c.Context(), refused.status)
	body, err := web.Marshal(refused.body)
	if err != nil {
		c.s.Logger.Error("encode answer", zap.Error(err))
	}
	return apiv1.ImportEvent{Error: &apiv1.ImportFailure{Status: refused.status, Body: body}}
}

// tell writes a line whenever there is progress, and now and then without any, which shows both ends that the other is there.
func (c *call) tell(p *progress, end <-chan struct{}) {
	tick := time.NewTicker(lineStep)
	defer tick.Stop()
	var last apiv1.ImportProgress
	quiet := time.Now()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		now := p.get()
		if now == last && time.Since(quiet) < quietTime {
			continue
		}
		if !c.line(apiv1.ImportEvent{Progress: &now}) {
			return
		}
		last, quiet = now, time.Now()
	}
}

// line writes a line; false: the client is gone.
func (c *call) line(e apiv1.ImportEvent) bool {
	text, err := web.Marshal(e)
	if err != nil {
		c.s.Logger.Error("encode answer", zap.Error(err))
		return false
	}
	return c.send(append(text, '\n'))
}
