package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/users/record"
)

// errNull refuses null, which would otherwise be taken for a member that is not there.
var errNull = errors.New("null")

// strict are the options of every body: members that are unknown or null are errors, as are by default duplicates, names in another case,
// text that is not UTF-8, halves of surrogate pairs, and whatever follows the object.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(notNull[*string](), notNull[*record.AddressChange]())),
)

func notNull[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ *T) error {
		if d.PeekKind() == jsontext.KindNull {
			return errNull
		}
		return errors.ErrUnsupported // that is: as usual
	})
}

// decode reads a body into v, a pointer to a struct. Its error is a [problem] that names the member to blame, if there is one.
func decode(body []byte, v any) error {
	if kind := jsontext.Value(body).Kind(); kind != jsontext.KindBeginObject && jsontext.Value(body).IsValid() {
		return invalidJSON("", "The body must be a JSON object.")
	}
	err := json.Unmarshal(body, v, strict)
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntactic):
		field := fieldOf(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return invalidField(field, field+" is there more than once.")
		}
		return invalidJSON(field, "The body is not valid JSON.")
	case !errors.As(err, &semantic):
		return invalidJSON("", "The body is not valid JSON.")
	}
	if semantic.JSONPointer == "" { // JSON that is broken further on, and does not even begin as an object
		return invalidJSON("", "The body must be a JSON object.")
	}
	field := fieldOf(semantic.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return invalidField(field, field+" is not known here.")
	}
	want := "a string"
	if field == "address" {
		want = "an object"
	}
	return invalidField(field, field+" must be "+want+".")
}

func invalidJSON(field, message string) error {
	p := newProblem(http.StatusBadRequest, "invalid_json", message, nil)
	p.body.Field = field
	return p
}

// maxField is the longest name of a field in an answer, in code points: clients choose the names of unknown ones.
const maxField = 100

// fieldOf writes a JSON pointer as a path: "address.postcode". Only address has members: what is deeper elsewhere is inside a value of the
// wrong type, and the place in there helps nobody.
func fieldOf(p jsontext.Pointer) string {
	var path []string
	for token := range p.Tokens() {
		path = append(path, token)
		if len(path) == 2 || token != "address" {
			break
		}
	}
	return shorten(strings.Join(path, "."))
}

// shorten cuts a name that a client chose.
func shorten(name string) string {
	if runes := []rune(name); len(runes) > maxField {
		return string(runes[:maxField]) + "…"
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// text is a member of a body, with its path and its value: nil if it is not there.
type text struct {
	path  string
	value *string
}

// required is an error that names the first member without a value, and lists them all.
func required(members ...text) error {
	var missing []string
	for _, m := range members {
		if m.value == nil {
			missing = append(missing, m.path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	verb := " is missing."
	if len(missing) > 1 {
		verb = " are missing."
	}
	return invalidField(missing[0], strings.Join(missing, ", ")+verb)
}
