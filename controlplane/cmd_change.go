package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// printChange prints what becomes of one campaign: "~ spring: weight 1 → 3".
func printChange(w io.Writer, id string, before, after json.RawMessage) error {
	switch {
	case absent(before):
		return say(w, "+ %s%s", id, described(after))
	case absent(after):
		return say(w, "- %s", id)
	}
	return say(w, "~ %s: %s", id, changedFields(before, after))
}

func absent(text json.RawMessage) bool {
	text = bytes.TrimSpace(text)
	return len(text) == 0 || bytes.Equal(text, []byte("null"))
}

func described(text json.RawMessage) string {
	c := readCampaign(text)
	if c.Country == "" {
		return ""
	}
	return fmt.Sprintf(": %s/%s %s", c.Country, c.Lang, c.hours())
}

// changedFields compares two JSON objects field by field.
func changedFields(before, after json.RawMessage) string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return "changed"
	}
	fields := maps.Clone(a)
	maps.Copy(fields, b)
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if was, is := value(a[name]), value(b[name]); was != is {
			changes = append(changes, fmt.Sprintf("%s %s → %s", name, was, is))
		}
	}
	if len(changes) == 0 {
		return "unchanged"
	}
	return strings.Join(changes, ", ")
}

// value is compact JSON; a dash for none.
func value(text json.RawMessage) string {
	var b bytes.Buffer
	if len(text) == 0 || json.Compact(&b, text) != nil {
		return "-"
	}
	return b.String()
}

// progress tells somebody who waits at a terminal how much was sent.
type progress struct {
	to   io.Writer // nil: nobody
	size int64     // 0: unknown
	now  func() time.Time

	mu    sync.Mutex // a request that was refused early is still being sent when it ends
	sent  int64
	shown time.Time
	ended bool
}

// progressInterval is how often it is shown.
const progressInterval = 200 * time.Millisecond

func newProgress(to io.Writer, size int64, now func() time.Time) *progress {
	f, ok := to.(*os.File)
	if !ok || !terminal(f) {
		to = nil
	}
	return &progress{to: to, size: size, now: now, shown: now()}
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// reader counts what is read from r.
func (p *progress) reader(r io.Reader) io.Reader {
	if p.to == nil {
		return r
	}
	return io.TeeReader(r, p)
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += int64(len(b))
	if p.ended {
		return len(b), nil
	}
	if now := p.now(); now.Sub(p.shown) >= progressInterval {
		p.shown = now
		p.show("sent " + p.text())
	}
	if p.size > 0 && p.sent >= p.size {
		p.show("sent " + p.text() + ", and the control plane reads it")
	}
	return len(b), nil
}

func (p *progress) text() string {
	const mega = 1e6
	if p.size == 0 {
		return fmt.Sprintf("%.1f MB", float64(p.sent)/mega)
	}
	return fmt.Sprintf("%.1f of %.1f MB", float64(p.sent)/mega, float64(p.size)/mega)
}

// show replaces the line.
func (p *progress) show(text string) { _, _ = fmt.Fprint(p.to, "\r\x1b[K"+text) } // a lost line of progress is no failure

// end clears the line.
func (p *progress) end() {
	if p.to == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.show("")
}
