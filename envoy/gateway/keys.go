package gateway

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// keys are the keys that a place of the file may have: nil means any (a leaf or a free map).
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

// unknown reports keys that k does not have, and keys that stand twice.
func (p *parser) unknown(n *yaml.Node, k *keys, path string) {
	if n.Kind == yaml.AliasNode {
		// An alias repeats what was checked where it was defined; its anchor's place decides.
		return
	}
	switch {
	case n.Kind == yaml.SequenceNode && k.elem != nil:
		for i, c := range n.Content {
			p.unknown(c, k.elem, path+"["+strconv.Itoa(i)+"]")
		}
	case n.Kind == yaml.MappingNode && k.names != nil:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			next, ok := k.names[name]
			at := strings.TrimPrefix(path+"."+name, ".")
			if !ok {
				p.findings = append(p.findings, Finding{File: p.file, Line: n.Content[i].Line, Key: at, Message: unknownText(name, k)})
				continue
			}
			p.unknown(n.Content[i+1], next, at)
		}
	}
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
