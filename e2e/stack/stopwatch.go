package stack

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// A Stopwatch measures how long the product took for something: the time that passed, without that in which a busy machine kept processes
// waiting for a core. A bound on the product's time is then no bound on what else the machine has to do.
type Stopwatch struct {
	began   time.Time
	starved time.Duration
}

// StartStopwatch returns one that runs.
func StartStopwatch() Stopwatch { return Stopwatch{began: time.Now(), starved: starved()} }

// Took is the product's time since the start. It is never less than a tenth of what has passed: a product that keeps all cores busy by itself
// starves as well.
func (w Stopwatch) Took() time.Duration {
	passed := time.Since(w.began)
	return max(passed-w.Starved(), passed/10)
}

// Starved is for how long since the start some process has waited for a core.
func (w Stopwatch) Starved() time.Duration { return starved() - w.starved }

// Files of Linux that tell of time without a core.
const (
	pressureFile = "/proc/pressure/cpu" // some process waited for another
	statFile     = "/proc/stat"         // the host gave a core to another guest
)

// starved is for how long this machine has kept a process waiting for a core since it was started. What a system does not tell counts as
// none: its bounds are as narrow as they are written.
func starved() time.Duration {
	pressure, _ := os.ReadFile(pressureFile) // none: see above
	stat, _ := os.ReadFile(statFile)         // none: see above
	return waited(string(pressure)) + stolen(string(stat))
}

// waited is the total of the line "some avg10=0.00 avg60=0.00 avg300=0.00 total=19157984437", in microseconds.
func waited(pressure string) time.Duration {
	line, _, _ := strings.Cut(pressure, "\n")
	_, total, ok := strings.Cut(line, "total=")
	if !ok || !strings.HasPrefix(line, "some ") {
		return 0
	}
	n, _ := strconv.ParseInt(total, 10, 64) // 0
	return time.Duration(n) * time.Microsecond
}

// stolen is the eighth number of the line "cpu  4795631 120739 …", in hundredths of a second.
func stolen(stat string) time.Duration {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0
	}
	n, _ := strconv.ParseInt(fields[8], 10, 64) // 0
	return time.Duration(n) * 10 * time.Millisecond
}
