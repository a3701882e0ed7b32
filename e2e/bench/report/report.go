// Package report owns what a benchmark hands over: tables of figures with all their rounds, and the targets that they are held against. A
// [Result] is written as JSON, printed for people, and put into the page of published figures, all from the same numbers.
package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Result is all that one benchmark measured.
type Result struct {
	// Name is that of the benchmark and of its file: "requests".
	Name  string `json:"name"`
	Title string `json:"title"`
	// Method says how it was measured, a sentence or two each.
	Method  []string `json:"method"`
	Machine Machine  `json:"machine"`
	Tables  []Table  `json:"tables"`
	Targets []Target `json:"targets,omitempty"`
	// Failures are what went wrong. The figures are what was measured all the same.
	Failures []string `json:"failures,omitempty"`
}

// Machine is what figures depend on.
type Machine struct {
	Date   string `json:"date"`   // of the measurement, in UTC
	Commit string `json:"commit"` // with a + if the checkout had changes; "" outside of Git
	System string `json:"system"`
	CPU    string `json:"cpu"` // the model; "" where it is not known
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Envoy  string `json:"envoy"`
	// Load is the load average of the minute before: what others did on the machine. "" where there is no /proc.
	Load string `json:"load"`
}

// Table is rows of the same figures.
type Table struct {
	Title string `json:"title"`
	// Note is said below the table. Empty: nothing.
	Note string `json:"note,omitempty"`
	// Columns are the figures, with their units: "requests/s", "p99 ms".
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Row is one subject: a contender, a size.
type Row struct {
	Name string `json:"name"`
	// Cells are one for each column.
	Cells []Cell `json:"cells"`
}

// Cell is a figure: its value in each round, in their order. An empty one was not measured.
type Cell []float64

// Target is a figure that is to be reached. Its median counts.
type Target struct {
	What string `json:"what"`
	// Bound is [AtMost] or [AtLeast], to Limit in Unit. The unit may be empty: a ratio.
	Bound Bound   `json:"bound"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit,omitempty"`
	Cell  Cell    `json:"values"`
	// Failed is why the target counts as missed, whatever the values: some of what they are of failed. Empty: nothing did.
	Failed string `json:"failed,omitempty"`
}

// Bound is the side of its limit on which a figure has to be.
type Bound string

// The bounds. A figure that is the limit is on the right side of it.
const (
	AtMost  Bound = "≤"
	AtLeast Bound = "≥"
)

// Met reports whether the target is reached. One that was not measured, or of which something failed, is not.
func (t *Target) Met() bool {
	if len(t.Cell) == 0 || t.Failed != "" {
		return false
	}
	if t.Bound == AtLeast {
		return t.Cell.Median() >= t.Limit
	}
	return t.Cell.Median() <= t.Limit
}

// Median is the value in the middle, or the mean of the middle two. NaN if there is none.
func (c Cell) Median() float64 {
	if len(c) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(c))
	middle := len(v) / 2
	if len(v)%2 == 0 {
		return (v[middle-1] + v[middle]) / 2
	}
	return v[middle]
}

// Ratio divides the rounds of c by those of d, one by one: what both were measured in does not count then. Both must have as many rounds;
// it is empty where they have not, and where d was 0.
func (c Cell) Ratio(d Cell) Cell {
	if len(c) != len(d) || slices.Contains(d, 0) {
		return nil
	}
	ratio := make(Cell, len(c))
	for i := range c {
		ratio[i] = c[i] / d[i]
	}
	return ratio
}

// Less subtracts the rounds of d from those of c, as Ratio divides them.
func (c Cell) Less(d Cell) Cell {
	if len(c) != len(d) {
		return nil
	}
	rest := make(Cell, len(c))
	for i := range c {
		rest[i] = c[i] - d[i]
	}
	return rest
}

// Write writes the result into a folder, which it makes, as NAME.json.
func (r *Result) Write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, r.Name+".json"), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// Read reads what Write wrote.
func Read(dir, name string) (*Result, error) {
	data, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, fmt.Errorf("read a result: %w", err)
	}
	r := new(Result)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read a result: %s: %w", name, err)
	}
	return r, nil
}
