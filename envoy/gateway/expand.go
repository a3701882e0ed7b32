package gateway

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${NAME} in every scalar value below n. It works on the parsed tree, so that a variable can hold any text and never
// changes the structure.
func (p *parser) expand(n *yaml.Node, lookup func(string) (string, bool), seen map[*yaml.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	if n.Kind == yaml.AliasNode {
		p.expand(n.Alias, lookup, seen)
		return
	}
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "${") {
		plain := n.Style == 0
		p.written[n], p.expanded[n.Line] = n.Value, true
		n.Value = variable.ReplaceAllStringFunc(n.Value, func(m string) string {
			s := variable.FindStringSubmatch(m)
			if v, ok := lookup(s[1]); ok && (v != "" || s[2] == "") {
				return v
			}
			if s[2] == "" {
				p.findings = append(p.findings, Finding{File: p.file, Line: n.Line, Message: fmt.Sprintf("environment variable %s is not set (a default is written ${%s:-value})", s[1], s[1])})
			}
			return s[3]
		})
		if plain {
			// A plain scalar takes the type of what the variable holds: max_connections: ${LIMIT} is a number.
			n.Tag = ""
		}
	}
	if n.Kind == yaml.ScalarNode && (!utf8.ValidString(n.Value) || n.ShortTag() == "!!binary") {
		// Envoy's resources are UTF-8 text.
		p.findings = append(p.findings, Finding{File: p.file, Line: n.Line, Message: "the value is not UTF-8 text"})
		n.Tag, n.Value = "", ""
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		p.expand(c, lookup, seen)
	}
}

// quote returns a value of the key, or a part of it, for a finding. What comes from the environment may be a secret, and findings end up
// in logs: such a value is shown as the file has it, and one that the file does not have, as it follows from others, not at all.
func (p *parser) quote(key string, value any) string {
	n, _, found := p.find(key)
	text, isText := value.(string)
	switch written, fromEnvironment := p.written[n]; {
	case isText && text == "":
		return `""`
	case !found:
		return "the default"
	case fromEnvironment:
		return strconv.Quote(written)
	case isText:
		return strconv.Quote(text)
	default:
		return fmt.Sprint(value)
	}
}

// unquoted is a text that parser.quote shows without quotation marks: it has been found to be of a form that needs none.
type unquoted string

// quotation is a value in an error of the decoder: `text` in the library's, "text" in ours.
var quotation = regexp.MustCompile("(?s)`.*`|\".*\"")

// conceal removes the value from an error of the decoder, which does not know what was expanded. An error without a line may be about any.
func (p *parser) conceal(line int, message string) string {
	if p.expanded[line] || line == 0 && len(p.expanded) > 0 {
		return quotation.ReplaceAllLiteralString(message, "a value from the environment")
	}
	return message
}
