package gateway

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// keys are the keys that a place of the file may have. Without names and elem it is a leaf or a free map.
type keys struct {
	names map[string]*keys
	elem  *keys // of a list
}

// knownKeys reads them off the yaml tags, so that the struct is the only list of keys.
func knownKeys(v any) *keys { return keysOf(reflect.TypeOf(v)) }

func keysOf(t reflect.Type) *keys {
	switch t.Kind() {
	case reflect.Pointer:
		return keysOf(t.Elem())
	case reflect.Slice:
		return &keys{elem: keysOf(t.Elem())}
	case reflect.Struct:
		k := &keys{names: map[string]*keys{}}
		for i := range t.NumField() {
			k.names[t.Field(i).Tag.Get("yaml")] = keysOf(t.Field(i).Type)
		}
		return k
	}
	return &keys{}
}

// aliasUse is an anchor's content at a place of the file.
type aliasUse struct {
	content *yaml.Node
	place   *keys
}

const notPlainKey = "a key must be plain text"

// unknown reports keys that k does not have. An anchor's content is checked at each place that it is used in, but only once for places
// of the same kind, in seen: many aliases of a large map would multiply, and an anchor may contain itself.
func (p *parser) unknown(n *yaml.Node, k *keys, path string, seen map[aliasUse]bool) {
	n = resolve(n)
	if n.Anchor != "" {
		use := aliasUse{n, k}
		if seen[use] {
			return
		}
		seen[use] = true
	}
	switch {
	case n.Kind == yaml.SequenceNode && k.elem != nil:
		for i, c := range n.Content {
			p.unknown(c, k.elem, path+"["+strconv.Itoa(i)+"]", seen)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			next, known := k.names[key.Value]
			switch {
			// The decoder would take an alias for the key that it stands for.
			case key.Kind != yaml.ScalarNode:
				p.keyFinding(key, strings.TrimSuffix(at, "."), notPlainKey)
			case key.Value == "<<":
				p.keyFinding(key, at, "merge keys are not supported")
			case k.names == nil: // any key
			case !known:
				p.keyFinding(key, at, unknownText(key.Value, k))
			default:
				p.unknown(n.Content[i+1], next, at, seen)
			}
		}
	}
}

func (p *parser) keyFinding(key *yaml.Node, at, message string) {
	p.findings = append(p.findings, Finding{File: p.file, Line: key.Line, Key: at, Message: message})
}

func unknownText(name string, k *keys) string {
	names := make([]string, 0, len(k.names))
	for n := range k.names {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if strings.EqualFold(strings.ReplaceAll(n, "_", ""), strings.NewReplacer("_", "", "-", "").Replace(name)) {
			return fmt.Sprintf("unknown key; did you mean %s?", n)
		}
	}
	return "unknown key; known here: " + strings.Join(names, ", ")
}
