package api

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"adsidecar/controlplane/campaign"
)

// etag is the entity tag of a campaign: the revision of its row, and a hash of what is in force and of the source's, which changes without
// a revision.
func (i item) etag() string {
	h := fnv.New64a()
	_, _ = h.Write(i.canonical()) // never fails
	if i.Overridden != nil {
		_, _ = h.Write(campaign.AppendJSON(nil, i.Overridden))
	}
	return fmt.Sprintf(`"%d-%016x"`, i.revision, h.Sum64())
}

// maxTags bounds the entity tags of a header.
const maxTags = 100

// condition is an If-Match or If-None-Match (RFC 9110, sections 13.1.1 and 13.1.2): "*" or entity tags.
type condition struct {
	any  bool
	tags []string // with their quotes; weak ones are left out, as they match nothing here
}

func (c *condition) has(tag string) bool { return c.any || slices.Contains(c.tags, tag) }

// readCondition returns nil where the header is absent.
func readCondition(h http.Header, name string) (*condition, error) {
	lines := h.Values(name)
	if len(lines) == 0 {
		return nil, nil //nolint:nilnil // no header is no condition
	}
	wrong := badField(name, name+` must be "*" or a list of entity tags as ETag has them.`)
	rest := strings.Trim(strings.Join(lines, ","), " \t")
	if rest == "*" {
		return &condition{any: true}, nil
	}
	c := &condition{}
	for n := 0; rest != ""; {
		if rest[0] == ',' { // an empty element, to be ignored (section 5.6.1.2)
			rest = strings.TrimLeft(rest[1:], " \t")
			continue
		}
		strong, weak := strings.CutPrefix(rest, "W/")
		end := -1
		if strings.HasPrefix(strong, `"`) {
			end = strings.IndexByte(strong[1:], '"')
		}
		if n++; end < 0 || n > maxTags {
			return nil, wrong
		}
		tag := strong[:end+2]
		if strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, wrong
		}
		if !weak || strings.HasPrefix(rest, `"`) {
			c.tags = append(c.tags, tag)
		}
		if rest = strings.TrimLeft(strong[end+2:], " \t"); rest != "" && rest[0] != ',' {
			return nil, wrong
		}
	}
	if strings.Trim(strings.Join(lines, ","), " \t,") == "" {
		return nil, wrong
	}
	return c, nil
}
