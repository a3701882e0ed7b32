package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFileBytes bounds the file; a gateway of a thousand routes has less than a tenth of it.
const maxFileBytes = 4 << 20

// Finding is one thing that is wrong with the file.
type Finding struct {
	File string `json:"file"`
	// Line is 1-based; 0 when the finding is about something that is not there.
	Line int `json:"line,omitempty"`
	// Key is the path of the key: routes[2].upstream.
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

// String is "gateway.yaml:12: routes[2].upstream: no upstream has this name".
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		b.WriteString(":" + strconv.Itoa(f.Line))
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Findings is the error of [Load] and [Parse]: everything that is wrong, by line.
type Findings []Finding

// Error is one finding a line.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads the file at path. ${NAME} and ${NAME:-default} in values are taken from the environment. The error is [Findings], or that
// of reading the file.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxFileBytes {
		return nil, Findings{{File: path, Message: fmt.Sprintf("the file is larger than %d bytes", maxFileBytes)}}
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads data, which findings call file. lookup gives the environment's values.
func Parse(file string, data []byte, lookup func(string) (string, bool)) (*Config, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Findings{{File: file, Message: "the file is empty"}}
		}
		return nil, yamlFindings(file, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Findings{{File: file, Message: "the file holds more than one YAML document"}}
	}
	p := &parser{file: file, root: doc.Content[0]}
	p.expand(p.root, lookup, map[*yaml.Node]bool{})
	if len(p.findings) > 0 {
		return nil, p.sorted()
	}
	// The decoder refuses unknown keys only when it reads text, and then names Go types; the tree is checked here instead.
	c := baseline()
	p.unknown(p.root, knownKeys(&c), "")
	if len(p.findings) > 0 {
		return nil, p.sorted()
	}
	if err := p.root.Decode(&c); err != nil {
		return nil, yamlFindings(file, err)
	}
	c.applyDefaults(lookup)
	p.validate(&c)
	if len(p.findings) > 0 {
		return nil, p.sorted()
	}
	return &c, nil
}

type parser struct {
	file     string
	root     *yaml.Node
	findings Findings
}

// add reports a finding about the key with this path, such as "routes[2].upstream".
func (p *parser) add(key, format string, args ...any) {
	p.findings = append(p.findings, Finding{File: p.file, Line: p.line(key), Key: key, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) sorted() Findings {
	sort.SliceStable(p.findings, func(i, j int) bool { return p.findings[i].Line < p.findings[j].Line })
	return p.findings
}

var pathStep = regexp.MustCompile(`([^.\[\]]+)|\[(\d+)\]`)

// line is that of the key, or of its nearest ancestor that the file has.
func (p *parser) line(key string) int {
	n, line := p.root, 0
	for _, step := range pathStep.FindAllStringSubmatch(key, -1) {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var next *yaml.Node
		switch {
		case step[2] != "" && n.Kind == yaml.SequenceNode:
			if i, _ := strconv.Atoi(step[2]); i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step[1] {
					next, line = n.Content[i+1], n.Content[i].Line
				}
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}

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
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		p.expand(c, lookup, seen)
	}
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	yamlGoType  = regexp.MustCompile(` into (?:gateway\.)?([A-Za-z0-9_*.\[\]]+)$`)
	yamlTagName = regexp.MustCompile(`cannot unmarshal !!(\w+)`)
)

// yamlFindings turns the library's errors into findings, without the names of Go types.
func yamlFindings(file string, err error) Findings {
	lines := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		lines = te.Errors
	}
	var fs Findings
	for _, l := range lines {
		f := Finding{File: file, Message: strings.TrimPrefix(l, "yaml: ")}
		if m := yamlLine.FindStringSubmatch(l); m != nil {
			f.Line, _ = strconv.Atoi(m[1])
			f.Message = m[2]
		}
		if m := yamlTagName.FindStringSubmatch(f.Message); m != nil {
			want := "another type"
			if t := yamlGoType.FindStringSubmatch(f.Message); t != nil {
				want = typeName(t[1])
			}
			f.Message = yamlGoType.ReplaceAllString(yamlTagName.ReplaceAllString(f.Message, "found "+tagName(m[1])), "") + ", want " + want
		}
		fs = append(fs, f)
	}
	return fs
}

func tagName(tag string) string {
	switch tag {
	case "str":
		return "text"
	case "int", "float":
		return "a number"
	case "seq":
		return "a list"
	case "bool":
		return "true or false"
	}
	return tag
}

func typeName(t string) string {
	switch {
	case strings.HasPrefix(t, "[]"):
		return "a list"
	case strings.HasPrefix(t, "uint"):
		return "a whole number, 0 or more"
	case strings.HasPrefix(t, "int"):
		return "a whole number"
	case t == "string", t == "Token", t == "Protocol":
		return "text"
	case t == "bool":
		return "true or false"
	}
	return "a map of keys"
}
