package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// readWhole is readRows with a decoder for the whole document: what both say of one whose rows are not too long must be the same.
func readWhole(body []byte) (*imported, error) {
	d := jsontext.NewDecoder(bytes.NewReader(body), lenient)
	im := &imported{seen: map[string]int{}}
	line := func(at int64) int { return 1 + bytes.Count(body[:at], []byte{'\n'}) }
	fail := func(err error) error {
		var syntax *jsontext.SyntacticError
		switch {
		case errors.As(err, &syntax):
			return &errDocument{line(syntax.ByteOffset), "is not valid JSON"}
		case err != nil:
			return &errDocument{line(d.InputOffset()), "ends early"}
		}
		return &errDocument{line(d.InputOffset()), shape}
	}
	expect := func(kinds ...jsontext.Kind) error {
		for _, kind := range kinds {
			token, err := d.ReadToken()
			if err != nil || token.Kind() != kind || kind == '"' && token.String() != "ads" {
				return fail(err)
			}
		}
		return nil
	}
	if err := expect('{', '"', '['); err != nil {
		return nil, err
	}
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, fail(err)
		}
		im.add(value, line(d.InputOffset()-int64(len(value))))
	}
	if err := expect(']', '}'); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fail(err)
	}
	return im, nil
}

func requireAsWhole(t require.TestingT, body []byte, from io.Reader) {
	want, wantErr := readWhole(body)
	got, err := readRows(from)
	require.Equal(t, wantErr, err, "%q", body)
	require.Equal(t, want, got, "%q", body)
}

// pieces reads so many bytes at a time.
type pieces struct {
	from  io.Reader
	sizes []int
	n     int
}

func (p *pieces) Read(b []byte) (int, error) {
	size := p.sizes[p.n%len(p.sizes)]
	p.n++
	return p.from.Read(b[:min(size, len(b))])
}

// Any document, in any pieces, is read as by a decoder that holds all of it: the same campaigns, the same findings, the same error.
func TestRowsAreThoseOfADecoder(t *testing.T) {
	scraps := []string{
		`{`, `}`, `[`, `]`, `,`, `:`, `"`, `\`, `\"`, `"ads"`, `"\u0061ds"`, `"id":"a"`, `1`, `-`, `1.5e3`, `tru`, `true`, `nul`, `null`, " ", "\n", "\t", "\r\n", "\x00",
		"\x01", "\xff", `\ud800`, `"x"`, `"}]`, `{"id":"b"}`, `[[1]]`, `{}`, "\u2028", "\ufeff", strings.Repeat("\n", 3), strings.Repeat("x", 300), "/*", "'",
	}
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) string {
				return plain(rapid.SampledFrom([]string{"a", "b", "c", `é\"`}).Draw(t, "id"), rapid.SampledFrom([]string{
					"", `,"name":"]},{["`, `,"name":"\\"`, `,"labels":["\"",",\n"]`, ",\n\"weight\":2", `,"days":["mon"]`, `,"x":{"y":[{}]}`, `,"name":"\ud83d\ude00"`,
				}).Draw(t, "more"))
			}),
			rapid.SampledFrom([]string{`{}`, `1`, `"a"`, `null`, `[]`, `[{"id":"a"}]`, `{"id":"a","id":"b"}`}),
		)
		space := rapid.SampledFrom([]string{"", "", " ", "\n", "\r\n\t", "\n\n\n"})
		var b strings.Builder
		put := func(s string) { b.WriteString(space.Draw(t, "space") + s) }
		put("{")
		put(`"ads"`)
		put(":")
		put("[")
		for n, text := range rapid.SliceOfN(row, 0, 6).Draw(t, "rows") {
			if n > 0 {
				put(",")
			}
			put(text)
		}
		put("]")
		put("}")
		put("")
		body := []byte(b.String())
		for range rapid.IntRange(0, 2).Draw(t, "faults") {
			from := rapid.IntRange(0, len(body)).Draw(t, "from")
			to := min(from+rapid.SampledFrom([]int{0, 0, 1, 5, 1 << 20}).Draw(t, "cut"), len(body))
			scrap := rapid.SampledFrom(scraps).Draw(t, "scrap")
			body = append(append(bytes.Clone(body[:from]), scrap...), body[to:]...)
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 200), 1, 5).Draw(t, "sizes")
		requireAsWhole(t, body, &pieces{from: bytes.NewReader(body), sizes: sizes})
		im, err := readWhole(body)
		switch {
		case err != nil:
			counts[err.Error()]++
		case im.found > 0:
			counts["findings"]++
		default:
			counts["imported"]++
		}
	})
	for _, outcome := range []string{"is not valid JSON", shape, "findings", "imported"} {
		require.Greater(t, counts[outcome], 3, "%v", counts)
	}
}

// At the limit of a row, and of what the buffer has of it, a row is as good as any other.
func TestRowsAtTheLimit(t *testing.T) {
	for _, more := range []int{-1, 0, 1} {
		long := plain("a", `,"name":""`)
		long = strings.Replace(long, `"name":""`, `"name":"`+strings.Repeat("x", maxRow+more-len(long))+`"`, 1)
		require.Len(t, long, maxRow+more)
		number := strings.Repeat("1", maxRow+more)
		for _, document := range []string{
			`{"ads":[` + long + `]}`,
			`{"ads":[` + long + `,` + long + `,` + plain("b", "") + `]}`,
			`{"ads":[` + number + ` ,` + number + `]}`,
			`{"ads":[` + number,
			`{"ads":[` + plain("b", "") + `,` + long + "\n,\n" + plain("b", "") + `]} `,
		} {
			for _, from := range []io.Reader{strings.NewReader(document), iotest.OneByteReader(strings.NewReader(document)), iotest.DataErrReader(strings.NewReader(document))} {
				requireAsWhole(t, []byte(document), from)
			}
		}
	}
}

// endless is a text with a part that is repeated so often that the whole would not fit into memory many times.
type endless struct {
	before, part, after string
	n                   int // bytes of the parts
}

func (e endless) reader() io.Reader {
	return io.MultiReader(strings.NewReader(e.before), io.LimitReader(&repeated{text: []byte(strings.Repeat(e.part, 4096))}, int64(e.n)), strings.NewReader(e.after))
}

type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// What an import takes while it is read does not depend on what its document is made of; and rows behind one that is too long are read.
func TestNoDocumentTakesMemory(t *testing.T) {
	const size = 8 << 20
	row := plain("a", "")
	tooLong := fmt.Sprintf("the campaign is longer than %d bytes", maxRow)
	isLong := func(line int, id string) []apiv1.FieldError {
		return []apiv1.FieldError{
			{Code: campaign.ReasonTooLong, Message: tooLong, Row: 2, Line: line, ID: id},
			{Field: "id", Code: campaign.ReasonDuplicate, Message: "id: row 1 has this id already", Row: 3, Line: line + 1, ID: "a"},
		}
	}
	before, after := "{\"ads\":[\n"+row+",\n", ",\n"+row+"]}"
	for name, c := range map[string]struct {
		document endless
		findings []apiv1.FieldError
		err      error
	}{
		"a string":              {document: endless{before + `"`, "x", `"` + after, size}, findings: isLong(3, "")},
		"a string of escapes":   {document: endless{before + `"`, `\"`, `"` + after, size}, findings: isLong(3, "")},
		"a number":              {document: endless{before, "1", after, size}, findings: isLong(3, "")},
		"a field":               {document: endless{before + `{"id":"b","name":"`, "x", `"}` + after, size}, findings: isLong(3, "b")},
		"a field's name":        {document: endless{before + `{"id":"b","`, "x", `":1}` + after, size}, findings: isLong(3, "b")},
		"many fields":           {document: endless{before + `{"id":"b"`, `,"x":[{}]`, `}` + after, size / 9 * 9}, findings: isLong(3, "b")},
		"a list":                {document: endless{before + `[1`, `,1`, `]` + after, size}, findings: isLong(3, "")},
		"space in a row":        {document: endless{before + `{"id":"b",`, ` `, `"x":1}` + after, size}, findings: isLong(3, "b")},
		"a nest without an end": {document: endless{before, `[`, "", size}, err: &errDocument{3, "is not valid JSON"}},
		"a nest":                {document: endless{before, `{"x":`, "", size}, err: &errDocument{3, "is not valid JSON"}},
		"a string that is cut":  {document: endless{before + "\"", `x`, "", size}, err: &errDocument{3, "is not valid JSON"}},
		"a word":                {document: endless{before, `x`, after, size}, err: &errDocument{3, "is not valid JSON"}},
		"no quote at the end":   {document: endless{before + "{\"id\":\"b,\n", `x`, `}` + after, size}, err: &errDocument{3, "is not valid JSON"}},
		"space":                 {document: endless{before, " ", row + "]}", size}, findings: []apiv1.FieldError{{Field: "id", Code: "duplicate", Message: "id: row 1 has this id already", Row: 2, Line: 3, ID: "a"}}},
		"lines":                 {document: endless{before, "\n", row + "]}", size}, findings: []apiv1.FieldError{{Field: "id", Code: "duplicate", Message: "id: row 1 has this id already", Row: 2, Line: 3 + size, ID: "a"}}},
		"space at the end":      {document: endless{`{"ads":[{}]}`, " \n", "x", size}, err: &errDocument{1 + size/2, "is not valid JSON"}},
		"a member before":       {document: endless{`{"x":"`, "x", `","ads":[]}`, size}, err: &errDocument{1, shape}},
		"a member behind":       {document: endless{`{"ads":[],"x":"`, "x", `"}`, size}, err: &errDocument{1, shape}},
		"a member's name":       {document: endless{`{"`, "x", `":1}`, size}, err: &errDocument{1, shape}},
		"a name behind":         {document: endless{`{"ads":[],"`, "x", `":1}`, size}, err: &errDocument{1, shape}},
		"no object":             {document: endless{`"`, "x", `"`, size}, err: &errDocument{1, shape}},
		"no array":              {document: endless{`{"ads":"`, "x", `"}`, size}, err: &errDocument{1, shape}},
		"a number for all":      {document: endless{``, "1", ``, size}, err: &errDocument{1, shape}},
	} {
		t.Run(name, func(t *testing.T) {
			from := c.document.reader()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			im, err := readRows(from)
			runtime.ReadMemStats(&now)
			require.Equal(t, c.err, err)
			if err == nil {
				require.Equal(t, c.findings, im.findings)
			}
			require.Less(t, now.TotalAlloc-before.TotalAlloc, uint64(24*maxRow), "of %d bytes", size)
		})
	}
}

// Two of the longest documents at once, each one value, through the API.
func TestTwoImportsOfOneHugeValue(t *testing.T) {
	h := start(t, nil)
	const size = 32 << 20
	document := endless{"{\"ads\":[\n" + `{"id":"long","name":"`, "x", `"}]}`, size}
	peak := peakOf(func() {
		var both sync.WaitGroup
		for range maxUploads {
			both.Go(func() {
				req := h.newRequest(t, request{method: "POST", path: "/document"})
				req.Body, req.ContentLength = io.NopCloser(document.reader()), -1
				res, err := h.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = res.Body.Close() }()
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != 422 || !bytes.Contains(body, []byte(`"message":"the campaign is longer than 65536 bytes","row":1,"line":2,"id":"long"`)) {
					t.Errorf("%d %s %v", res.StatusCode, body, err)
				}
			})
		}
		both.Wait()
	})
	t.Logf("at most %d KiB in memory", peak>>10)
	require.Less(t, peak, uint64(16<<20))
}

// What is wrong with the document is said at once, not when all of it is there.
func TestDocumentsAreRefusedAsTheyCome(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an array":        {`[`, shape},
		"another member":  {`{"foo"`, shape},
		"no value":        {`{"ads":[{"id":"a"},,`, "is not valid JSON"},
		"a broken row":    {`{"ads":[{"id" "a"}`, "is not valid JSON"},
		"a second member": {`{"ads":[],"x"`, shape},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := io.Pipe()
			defer func() { _ = from.Close() }()
			late := time.AfterFunc(10*time.Second, func() { _ = to.CloseWithError(errors.New("it waits for more")) })
			defer late.Stop()
			go func() { _, _ = io.WriteString(to, c.text) }()
			_, err := readRows(from)
			require.EqualError(t, err, c.want)
		})
	}
}

func TestReadErrorsAreTold(t *testing.T) {
	gone := errors.New("gone")
	for _, text := range []string{``, `{`, `{"ad`, `{"ads":[`, `{"ads":[{"id":`, `{"ads":[1`, `{"ads":[1,`, `{"ads":[]`, `{"ads":[]}`, `nul`, `{"ads":["` + strings.Repeat("x", 2*maxRow)} {
		_, err := readRows(io.MultiReader(strings.NewReader(text), iotest.ErrReader(gone)))
		require.ErrorIs(t, err, gone, "%.20s", text)
	}
}

func TestTooManyRows(t *testing.T) {
	_, err := readRows(strings.NewReader(`{"ads":[` + strings.Repeat("1,\n", revision.MaxChanges) + `1,1,1]}`))
	require.Equal(t, &errDocument{revision.MaxChanges + 1, "has more than 200000 campaigns"}, err)
}
