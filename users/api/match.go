package api

import (
	"strconv"
	"strings"

	"adsidecar/users/record"
)

// etag is the entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads If-Match (RFC 9110, section 13.1.1): "*" or a list of entity tags, over any number of header lines. It is nil without the
// header. Tags that no version can have, weak ones among them, are valid and match nothing.
func ifMatch(lines []string) (*record.Match, error) {
	if len(lines) == 0 {
		return nil, nil //nolint:nilnil // no header is no condition
	}
	rest := strings.Trim(strings.Join(lines, ","), " \t")
	if rest == "*" {
		return &record.Match{Any: true}, nil
	}
	m := &record.Match{}
	tags := 0
	for rest != "" {
		// Empty elements of a list are to be ignored (section 5.6.1.2).
		if rest[0] == ',' {
			rest = strings.TrimLeft(rest[1:], " \t")
			continue
		}
		tag, weak, after, ok := entityTag(rest)
		if !ok {
			return nil, errIfMatch
		}
		tags++
		if version, ok := versionOf(tag); ok && !weak {
			m.Versions = append(m.Versions, version)
		}
		rest = strings.TrimLeft(after, " \t")
		if rest != "" && rest[0] != ',' {
			return nil, errIfMatch
		}
	}
	if tags == 0 {
		return nil, errIfMatch
	}
	return m, nil
}

var errIfMatch = invalidField("If-Match", `If-Match must be "*" or a list of entity tags as ETag has them.`)

// entityTag cuts the entity tag off that s begins with (RFC 9110, section 8.8.3).
func entityTag(s string) (tag string, weak bool, rest string, ok bool) {
	s, weak = strings.CutPrefix(s, "W/")
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", false, "", false
	}
	tag, rest, ok = strings.Cut(s, `"`)
	if strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		ok = false
	}
	return tag, weak, rest, ok
}

// versionOf is the version whose tag this is. There is one spelling of each.
func versionOf(tag string) (int64, bool) {
	version, err := strconv.ParseInt(tag, 10, 64)
	return version, err == nil && version >= 0 && strconv.FormatInt(version, 10) == tag
}
