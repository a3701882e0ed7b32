package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"adsidecar/controlplane/apiv1"
)

// progress tells somebody who waits how far the control plane is with an import: at a terminal on one line, which goes when it is over,
// elsewhere on a line for each phase, and for each second of one.
type progress struct {
	to       io.Writer // nil: nobody waits
	terminal bool
	size     int64 // of the document in bytes, which the control plane does not know; 0: unknown
	now      func() time.Time

	phase string
	shown time.Time
}

// progressInterval is how often a phase is shown where lines stay.
const progressInterval = time.Second

func newProgress(to io.Writer, verbose bool, size int64, now func() time.Time) *progress {
	f, ok := to.(*os.File)
	p := &progress{to: to, terminal: ok && terminal(f), size: size, now: now}
	if !p.terminal && !verbose {
		p.to = nil
	}
	return p
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// hear is what to tell it with; nil: it need not be told.
func (p *progress) hear() func(apiv1.ImportProgress) {
	if p.to == nil {
		return nil
	}
	return p.show
}

// show writes a line. One that is lost is no failure.
func (p *progress) show(now apiv1.ImportProgress) {
	if p.terminal {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K"+cell(p.text(now)))
		return
	}
	if now.Phase == p.phase && p.now().Sub(p.shown) < progressInterval {
		return
	}
	p.phase, p.shown = now.Phase, p.now()
	_, _ = fmt.Fprintln(p.to, cell(p.text(now)))
}

func (p *progress) text(now apiv1.ImportProgress) string {
	if now.Phase == apiv1.Receiving {
		const mega = 1e6
		done := fmt.Sprintf("received %.1f", float64(now.Done)/mega)
		if total := cmp.Or(now.Total, p.size); total > 0 {
			done += fmt.Sprintf(" of %.1f", float64(total)/mega)
		}
		return done + " MB"
	}
	name := now.Phase
	switch name {
	case apiv1.Checking:
		name = "checked"
	case apiv1.Storing:
		name = "stored"
	}
	done := name + " " + strconv.FormatInt(now.Done, 10)
	if now.Total > 0 {
		done += " of " + strconv.FormatInt(now.Total, 10)
	}
	return done + " campaigns"
}

// end takes the line of a terminal away.
func (p *progress) end() {
	if p.to != nil && p.terminal {
		_, _ = fmt.Fprint(p.to, "\r\x1b[K")
	}
}
