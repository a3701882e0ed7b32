package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// requirePrintable fails for what a terminal could obey.
func requirePrintable(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		require.True(t, r == '\n' || unicode.IsPrint(r), "%q in %q", r, text)
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"Frühling 春 🎉 – 3 €":          "Frühling 春 🎉 – 3 €",
		"\x1b]0;title\x07":            `\x1b]0;title\x07`,
		"a\tb\nc\rd\x00\x7f":          `a\x09b\x0ac\x0dd\x00\x7f`,
		"\u009b2J":                    `\u009b2J`,
		"\u202egnp.exe":               `\u202egnp.exe`,
		"zero\u200bwidth\ufeff\u2028": `zero\u200bwidth\ufeff\u2028`,
		"\xff\xfe half \xc3":          `\xff\xfe half \xc3`,
		"\ufffd":                      `\ufffd`,
		"\U000E0041":                  `\U000e0041`,
		"no\u00a0break":               `no\u00a0break`,
	} {
		require.Equal(t, want, cell(in), "%q", in)
	}
	require.Equal(t, "a\nb\\x09", lines("a\nb\t"))
}

func TestTable(t *testing.T) {
	table := newTable("ID", "N")
	table.row("a\tb\xff", 7)
	table.row("", nil)
	var b bytes.Buffer
	require.NoError(t, table.print(&b))
	require.Equal(t, "ID          N\na\\x09b\\xff  7\n-           <nil>\n", b.String())
}

// FuzzOutput: whatever a server sends, a table has a line for each row, and nothing that a terminal obeys; JSON keeps its value.
func FuzzOutput(f *testing.F) {
	for _, s := range []string{"", "a", hostile, "\xff", "\u2028\u009b", "\U000E0001", `\`, "\v\f\b", "\u0600"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		table := newTable("A", "B")
		table.row(one, two)
		table.row(two, one)
		var b bytes.Buffer
		require.NoError(t, table.print(&b))
		requirePrintable(t, b.String())
		require.Equal(t, 3, strings.Count(b.String(), "\n"))

		b.Reset()
		require.NoError(t, say(&b, "%s: %s", one, two))
		requirePrintable(t, b.String())
		require.Equal(t, 1, strings.Count(b.String(), "\n"))

		if !json.Valid([]byte(one)) {
			text, err := json.Marshal(one)
			require.NoError(t, err)
			one = string(text)
		}
		b.Reset()
		require.NoError(t, printJSON(&b, json.RawMessage(one)))
		for _, r := range b.String() {
			require.True(t, r == '\n' || r == '\r' || r == '\t' || unicode.IsPrint(r), "%q", r)
		}
		var want, got any
		require.NoError(t, json.Unmarshal([]byte(one), &want))
		require.NoError(t, json.Unmarshal(b.Bytes(), &got))
		require.Equal(t, want, got)
	})
}
