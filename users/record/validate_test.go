package record

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// at returns attributes that are valid but for the one at a path, set through JSON: what a path means is checked by that.
func at(t *testing.T, path, value string) Attributes {
	t.Helper()
	a := john
	require.NoError(t, json.Unmarshal(jsonAt(t, path, value), &a))
	return a
}

func changeAt(t *testing.T, path, value string) Change {
	t.Helper()
	var c Change
	require.NoError(t, json.Unmarshal(jsonAt(t, path, value), &c))
	return c
}

func jsonAt(t *testing.T, path, value string) []byte {
	t.Helper()
	var document any = value
	parts := strings.Split(path, ".")
	for i := range parts {
		document = map[string]any{parts[len(parts)-1-i]: document}
	}
	text, err := json.Marshal(document)
	require.NoError(t, err)
	return text
}

func invalid(err error) map[string]string {
	found := map[string]string{}
	for _, e := range flatten(err) {
		var i *InvalidError
		if errors.As(e, &i) {
			found[i.Field] = i.Message
		}
	}
	return found
}

func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

func TestValidateLengths(t *testing.T) {
	tests := map[string]struct {
		min, max int
		rule     string
	}{
		"title":               {1, 32, "must have 1 to 32 characters"},
		"firstName":           {1, 100, "must have 1 to 100 characters"},
		"lastName":            {1, 100, "must have 1 to 100 characters"},
		"mobileNumber":        {0, 32, "must have at most 32 characters"},
		"address.postcode":    {0, 16, "must have at most 16 characters"},
		"address.suburb":      {0, 100, "must have at most 100 characters"},
		"address.state":       {0, 50, "must have at most 50 characters"},
		"address.fullAddress": {0, 300, "must have at most 300 characters"},
	}
	require.Len(t, Limits, len(tests))
	for path, tt := range tests {
		t.Run(path, func(t *testing.T) {
			for _, letter := range []string{"a", "é", "漢", "😀"} { // 1 to 4 bytes
				for n := range tt.max + 2 {
					value := strings.Repeat(letter, n)
					want := map[string]string{}
					if n < tt.min || n > tt.max {
						want[path] = path + " " + tt.rule
					}
					require.Equal(t, want, invalid(at(t, path, value).Validate()))
					require.Equal(t, want, invalid(changeAt(t, path, value).Validate()))
				}
			}
		})
	}
}

func TestValidateCharacters(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"spaces at both ends":                     {value: " a "},
		"digits with a leading zero":              {value: "047777777"},
		"markup and quotes":                       {value: `<b>"&'\/`},
		"letters that join":                       {value: "e\u0301"},
		"an emoji of several code points":         {value: "👩\u200d🚀"},
		"right-to-left letters":                   {value: "שלום"},
		"a right-to-left mark, which names need":  {value: "א\u200f1"},
		"a private use character":                 {value: "\ue000"},
		"the replacement character itself":        {value: "\ufffd"},
		"the byte order mark, now a joiner":       {value: "a\ufeff"},
		"the neighbours of the bidi controls":     {value: "\u2027\u202f\u2065\u206a"},
		"the neighbours of the noncharacters":     {value: "\ufdcf\ufdf0\ufffd\U0001fffd\U00020000\U0010fffd"},
		"the neighbours of the control ones":      {value: " ~\u00a0"},
		"NUL":                                     {value: "a\x00", want: "must not contain the character U+0000"},
		"a line feed":                             {value: "a\nb", want: "must not contain the character U+000A"},
		"a tabulator":                             {value: "\t", want: "must not contain the character U+0009"},
		"the last control character below space":  {value: "\x1f", want: "must not contain the character U+001F"},
		"delete":                                  {value: "\x7f", want: "must not contain the character U+007F"},
		"a control character of Latin-1":          {value: "\u0085", want: "must not contain the character U+0085"},
		"the last control character":              {value: "\u009f", want: "must not contain the character U+009F"},
		"a line separator":                        {value: "\u2028", want: "must not contain the character U+2028"},
		"a paragraph separator":                   {value: "\u2029", want: "must not contain the character U+2029"},
		"the first bidi embedding":                {value: "\u202a", want: "must not contain the character U+202A"},
		"a right-to-left override":                {value: "a\u202eb", want: "must not contain the character U+202E"},
		"the first bidi isolate":                  {value: "\u2066", want: "must not contain the character U+2066"},
		"the last bidi isolate":                   {value: "\u2069", want: "must not contain the character U+2069"},
		"the first noncharacter":                  {value: "\ufdd0", want: "must not contain the character U+FDD0"},
		"the last one of Arabic":                  {value: "\ufdef", want: "must not contain the character U+FDEF"},
		"the swapped byte order mark":             {value: "\ufffe", want: "must not contain the character U+FFFE"},
		"the last character of the first plane":   {value: "\uffff", want: "must not contain the character U+FFFF"},
		"a noncharacter of another plane":         {value: "\U0001fffe", want: "must not contain the character U+1FFFE"},
		"the last of all":                         {value: "\U0010ffff", want: "must not contain the character U+10FFFF"},
		"a byte that is no UTF-8":                 {value: "a\xff", want: "must be valid UTF-8"},
		"half a character":                        {value: "\xc3", want: "must be valid UTF-8"},
		"a surrogate":                             {value: "\xed\xa0\x80", want: "must be valid UTF-8"},
		"an overlong encoding":                    {value: "\xc0\xaf", want: "must be valid UTF-8"},
		"a forbidden one in a value too long":     {value: strings.Repeat("a", 33) + "\x00", want: "must not contain the character U+0000"},
		"no UTF-8 and a forbidden character":      {value: "\x00\xff", want: "must be valid UTF-8"},
		"thirty-two characters of four bytes":     {value: strings.Repeat("😀", 32)},
		"thirty-three characters in a short text": {value: strings.Repeat("a", 33), want: "must have 1 to 32 characters"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := john
			a.Title = tt.value
			want := map[string]string{}
			if tt.want != "" {
				want["title"] = "title " + tt.want
			}
			require.Equal(t, want, invalid(a.Validate()))
			require.Equal(t, want, invalid(Change{Title: &tt.value}.Validate()))
		})
	}
}

func TestValidateReportsEveryFaultInOrder(t *testing.T) {
	bad := "\x00"
	err := Attributes{Address: Address{State: bad, FullAddress: bad}}.Validate()
	require.EqualError(t, err, "title must have 1 to 32 characters\n"+
		"firstName must have 1 to 100 characters\n"+
		"lastName must have 1 to 100 characters\n"+
		"address.state must not contain the character U+0000\n"+
		"address.fullAddress must not contain the character U+0000")
	var first *InvalidError
	require.ErrorAs(t, err, &first)
	require.Equal(t, "title", first.Field)

	err = Change{MobileNumber: &bad, Address: &AddressChange{Suburb: &bad}}.Validate()
	require.ErrorAs(t, err, &first)
	require.Equal(t, "mobileNumber", first.Field)
	require.Len(t, flatten(err), 2)
}

func TestValidateChangeLooksAtNothingThatStays(t *testing.T) {
	require.NoError(t, Change{}.Validate())
	require.NoError(t, Change{Address: &AddressChange{}}.Validate())
}

func FuzzValidate(f *testing.F) {
	f.Add("Mr", "John", "Doe", "047777777", "2040", "leichhdart", "NSW", "1 Norton Street")
	f.Add("", "\x00", "\xff", "\u202e", "\u2028", "\ufffe", "😀", "<&>\u00a0")
	f.Add("a", "\u2066", "\U0010ffff", "\u0085", "\ufdd0", "\xed\xa0\x80", strings.Repeat("é", 51), strings.Repeat("😀", 300))
	f.Fuzz(func(t *testing.T, title, first, last, mobile, postcode, suburb, state, full string) {
		a := Attributes{
			Title: title, FirstName: first, LastName: last, MobileNumber: mobile,
			Address: Address{Postcode: postcode, Suburb: suburb, State: state, FullAddress: full},
		}
		err := a.Validate()
		var c Change
		c.Title, c.FirstName, c.LastName, c.MobileNumber = &title, &first, &last, &mobile
		c.Address = &AddressChange{Postcode: &postcode, Suburb: &suburb, State: &state, FullAddress: &full}
		require.Equal(t, invalid(err), invalid(c.Validate()), "a change takes what a create takes")
		if err != nil {
			require.NotEmpty(t, invalid(err))
			require.True(t, utf8.ValidString(err.Error()), "a message has no value")
			return
		}
		text, err := json.Marshal(a)
		require.NoError(t, err)
		var back Attributes
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, a, back)
		var merged Attributes
		c.apply(&merged)
		require.Equal(t, a, merged)
	})
}
