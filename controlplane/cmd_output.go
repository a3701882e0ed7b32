package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"adsidecar/controlplane/client"
)

// What the control plane answers has texts of others: names, comments, what Envoys complain of. On a terminal some characters are
// commands, and some turn a line around; none of them leaves this file as it came.

// table is rows in columns for people.
type table struct {
	rows strings.Builder
}

func newTable(header ...string) *table {
	t := &table{}
	t.rows.WriteString(strings.Join(header, "\t") + "\n")
	return t
}

// row adds a row. An empty cell is a dash.
func (t *table) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			t.rows.WriteByte('\t')
		}
		text := cell(fmt.Sprint(c))
		if text == "" {
			text = "-"
		}
		t.rows.WriteString(text)
	}
	t.rows.WriteByte('\n')
}

func (t *table) print(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(columns, t.rows.String()); err != nil {
		return err
	}
	return columns.Flush()
}

// cell is a text on one line without a character that a terminal obeys.
func cell(s string) string { return escape(s, "") }

// lines is a text of several lines, likewise.
func lines(s string) string { return escape(s, "\n") }

// escape writes what cannot be printed as in a Go string, but for the characters of except.
func escape(s, except string) string {
	plain := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) || strings.ContainsRune(except, r) }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printJSON writes what the API answered. What cannot be printed is written as JSON's own escapes: the value is the same.
func printJSON(w io.Writer, text json.RawMessage) error {
	if len(text) == 0 {
		return nil
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n', r == '\r', r == '\t', unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// moment is a time for people; empty for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// minute is likewise for the beginning of a minute.
func minute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

// say writes a line for people.
func say(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, cell(fmt.Sprintf(format, args...))+"\n")
	return err
}

// yes is "yes", or empty.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// count is "1 campaign" or "2 campaigns".
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// eachPage prints the pages of a list as JSON, or calls show for each.
func eachPage[T any](s *session, pages iter.Seq2[client.Answer[T], error], show func(page T) error) error {
	for page, err := range pages {
		if err == nil {
			if s.json {
				err = printJSON(s.out, page.JSON)
			} else {
				err = show(page.Value)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
