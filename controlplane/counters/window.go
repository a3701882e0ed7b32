package counters

import (
	"slices"
	"time"
)

const (
	// rateWindow is what a rate is taken over: some reports, so that it does not jump, and not so many that it lags.
	rateWindow = 30 * time.Second
	// leastWindow is the shortest time that gives a rate.
	leastWindow = 2 * time.Second
	// leastDistance bounds the samples of a window, however often somebody reports.
	leastDistance = time.Second
	// rateFor is how long after the last report its rate is taken for the present one: two reports are missing then.
	rateFor = 15 * time.Second
)

type sample struct {
	at     time.Time
	totals [counterCount]uint64
}

// A window is the samples of the last rateWindow.
type window struct{ samples []sample }

func (w *window) add(s sample) {
	if n := len(w.samples); n > 1 && s.at.Sub(w.samples[n-2].at) < leastDistance {
		w.samples = w.samples[:n-1] // the last one is replaced: it stands at the end of its second
	}
	w.samples = append(w.samples, s)
	w.samples = slices.DeleteFunc(w.samples, func(old sample) bool { return s.at.Sub(old.at) > rateWindow })
}

// perSecond is false while there is no rate: of an Envoy that has just begun to report, or is silent.
func (w *window) perSecond(now time.Time) (rate [counterCount]float64, ok bool) {
	if len(w.samples) < 2 {
		return rate, false
	}
	first, last := w.samples[0], w.samples[len(w.samples)-1]
	elapsed := last.at.Sub(first.at)
	if elapsed < leastWindow || now.Sub(last.at) > rateFor {
		return rate, false
	}
	for c := range rate {
		rate[c] = float64(last.totals[c]-first.totals[c]) / elapsed.Seconds()
	}
	return rate, true
}
