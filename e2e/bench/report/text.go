package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// notMeasured stands where a figure does not exist.
const notMeasured = "–"

// Text is the result for a terminal.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.Title, r.Machine.String())
	for _, failure := range r.Failures {
		fmt.Fprintf(&b, "FAILED: %s\n", failure)
	}
	for _, t := range r.Tables {
		b.WriteString("\n")
		t.text(&b)
	}
	if len(r.Targets) > 0 {
		b.WriteString("\n")
		writeText(&b, r.targets())
	}
	return b.String()
}

// Markdown is the result as a section of a page.
func (r *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n", r.Title, r.Machine.String())
	for _, m := range r.Method {
		fmt.Fprintf(&b, "\n%s\n", m)
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(&b, "\n**Failed:** %s\n", failure)
	}
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n### %s\n\n", t.Title)
		writeMarkdown(&b, t.lines(""))
		if t.Note != "" {
			fmt.Fprintf(&b, "\n%s\n", t.Note)
		}
	}
	if len(r.Targets) > 0 {
		b.WriteString("\n### Targets\n\n")
		writeMarkdown(&b, r.targets())
	}
	return b.String()
}

// String is a line.
func (m *Machine) String() string {
	parts := []string{m.Date}
	if m.Commit != "" {
		parts = append(parts, "commit "+m.Commit)
	}
	cores := fmt.Sprintf("%s, %d cores", m.System, m.Cores)
	if m.CPU != "" {
		cores += " of " + m.CPU
	}
	parts = append(parts, cores, m.Go, "Envoy "+m.Envoy)
	if m.Load != "" {
		parts = append(parts, "load average before "+m.Load)
	}
	return strings.Join(parts, ", ")
}

func (t *Table) text(b *strings.Builder) {
	writeText(b, t.lines(t.Title))
	if t.Note != "" {
		b.WriteString(t.Note + "\n")
	}
}

// lines are the head and the rows; corner stands above the names.
func (t *Table) lines(corner string) [][]string {
	lines := [][]string{append([]string{corner}, t.Columns...)}
	for _, row := range t.Rows {
		line := []string{row.Name}
		for _, c := range row.Cells {
			line = append(line, c.String())
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *Result) targets() [][]string {
	lines := [][]string{{"target", "limit", "measured", "met"}}
	for _, t := range r.Targets {
		unit := ""
		if t.Unit != "" {
			unit = " " + t.Unit
		}
		met := "no"
		if t.Met() {
			met = "yes"
		}
		switch {
		case t.Failed != "":
			met = "no: " + t.Failed
		case len(t.Cell) == 0:
			met = "not measured"
		}
		lines = append(lines, []string{t.What, string(t.Bound) + " " + number(t.Limit) + unit, t.Cell.String(), met})
	}
	return lines
}

// String is the median with the least and the greatest: "1,200 (1,000–2,000)".
func (c Cell) String() string {
	if len(c) == 0 {
		return notMeasured
	}
	if len(c) == 1 {
		return number(c[0])
	}
	least, most := c[0], c[0]
	for _, x := range c {
		least, most = min(least, x), max(most, x)
	}
	return number(c.Median()) + " (" + number(least) + "–" + number(most) + ")"
}

// number writes three digits that count, or all of those before the point.
func number(x float64) string {
	if x == 0 {
		return "0"
	}
	if math.Abs(x) < 999.5 {
		decimals := max(0, min(2-int(math.Floor(math.Log10(math.Abs(x)))), 6))
		text := strconv.FormatFloat(x, 'f', decimals, 64)
		if x == math.Trunc(x) {
			text = strconv.FormatFloat(x, 'f', 0, 64)
		}
		return text
	}
	digits := strconv.FormatFloat(math.Abs(x), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if x < 0 {
		return "-" + digits
	}
	return digits
}

// writeText aligns the columns.
func writeText(b *strings.Builder, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var row strings.Builder
		for i, cell := range line {
			fmt.Fprintf(&row, "%-*s  ", widths[i], cell)
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
}

func writeMarkdown(b *strings.Builder, lines [][]string) {
	for i, line := range lines {
		for n := range line {
			line[n] = strings.NewReplacer("|", "\\|", "\n", " ").Replace(line[n])
		}
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
}
