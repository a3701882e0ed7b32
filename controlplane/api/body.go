package api

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/revision"
)

// maxBody is the longest body but for an import, in bytes: the longest campaign.
const maxBody = campaign.MaxOneBytes

func tooLarge(limit int64) *problem {
	return newProblem(http.StatusRequestEntityTooLarge, "payload_too_large", fmt.Sprintf("The body is larger than %d bytes.", limit))
}

// readBody reads the whole body, whatever its Content-Type says.
func (c *call) readBody() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "bad_request", "The request did not arrive as a whole.")
	}
	if len(body) > maxBody {
		return nil, tooLarge(maxBody)
	}
	return body, nil
}

// noBody is for requests that have none: what somebody sends with good reason would be lost.
func (c *call) noBody() error {
	body, err := c.readBody()
	if err == nil && len(body) > 0 {
		err = newProblem(http.StatusBadRequest, "bad_request", "This request takes no body.")
	}
	return err
}

// comment is why a change is made: the header X-Comment.
func (c *call) comment() (string, error) {
	values := c.Header.Values("X-Comment")
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", badField("X-Comment", "X-Comment is there more than once.")
	}
	text, err := url.PathUnescape(values[0])
	if err != nil || !utf8.ValidString(text) {
		return "", badField("X-Comment", "X-Comment must be percent-encoded UTF-8.")
	}
	return checkComment("X-Comment", text)
}

func checkComment(field, text string) (string, error) {
	if utf8.RuneCountInString(text) > revision.MaxCommentRunes {
		return "", badField(field, fmt.Sprintf("%s is longer than %d characters.", field, revision.MaxCommentRunes))
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		return "", badField(field, field+" has a control character.")
	}
	return text, nil
}

// bodyComment is the comment of a rollback: that of the body, or of the header.
func (c *call) bodyComment() (string, error) {
	body, err := c.readBody()
	if err != nil {
		return "", err
	}
	if len(body) == 0 {
		return c.comment()
	}
	var v apiv1.Comment
	if err := json.Unmarshal(body, &v, json.RejectUnknownMembers(true)); err != nil {
		return "", newProblem(http.StatusBadRequest, "invalid_json", `The body must be {"comment":"…"}.`)
	}
	if v.Comment == "" {
		return c.comment()
	}
	return checkComment("comment", v.Comment)
}

// members reads a JSON object into its members. Duplicates, what is not UTF-8 and what follows the object are errors.
func members(body []byte) (map[string]jsontext.Value, error) {
	var m map[string]jsontext.Value
	err := json.Unmarshal(body, &m)
	if err == nil && m == nil { // null
		err = fmt.Errorf("null")
	}
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "invalid_json", "The body must be one JSON object in which no member is there twice.")
	}
	return m, nil
}

// params reads the query: each parameter must be one of the names, and there once.
func (c *call) params(names ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "invalid_parameter", "The query is malformed.")
	}
next:
	for name, all := range values {
		for _, known := range names {
			if name != known {
				continue
			}
			if len(all) > 1 {
				return nil, badField(name, name+" is there more than once.")
			}
			if len(all[0]) > maxParam || !utf8.ValidString(all[0]) {
				return nil, badField(name, fmt.Sprintf("%s must be at most %d bytes of UTF-8.", name, maxParam))
			}
			continue next
		}
		return nil, newProblem(http.StatusBadRequest, "unknown_parameter", "There is a parameter that is not known here. Known: "+strings.Join(names, ", ")+".")
	}
	return values, nil
}

// maxParam is how long the value of a parameter may be, in bytes.
const maxParam = 512
