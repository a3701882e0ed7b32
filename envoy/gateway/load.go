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
		return nil, (&parser{file: file}).yamlFindings(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Findings{{File: file, Message: "the file holds more than one YAML document"}}
	}
	p := &parser{file: file, root: doc.Content[0], written: map[*yaml.Node]string{}, expanded: map[int]bool{}}
	p.expand(p.root, lookup, map[*yaml.Node]bool{})
	if len(p.findings) > 0 {
		return nil, p.sorted()
	}
	// The decoder refuses unknown keys only when it reads text, and then names Go types; the tree is checked here instead.
	c := baseline()
	p.unknown(p.root, knownKeys(&c), "", map[aliasUse]bool{})
	if len(p.findings) > 0 {
		return nil, p.sorted()
	}
	if err := p.root.Decode(&c); err != nil {
		return nil, p.yamlFindings(err)
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

	written  map[*yaml.Node]string // expanded scalars as the file has them, ${NAME} and all
	expanded map[int]bool          // lines with such a scalar
}

// add reports a finding about the key with this path, such as "routes[2].upstream". Values stand in it by [parser.quote] only.
func (p *parser) add(key, format string, args ...any) {
	_, line, _ := p.find(key)
	p.findings = append(p.findings, Finding{File: p.file, Line: line, Key: key, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) sorted() Findings {
	sort.SliceStable(p.findings, func(i, j int) bool { return p.findings[i].Line < p.findings[j].Line })
	return p.findings
}

var pathStep = regexp.MustCompile(`([^.\[\]]+)|\[(\d+)\]`)

// find returns the value of the key, and whether the file has it; if not, its nearest ancestor that the file has. The line is that of
// the key.
func (p *parser) find(key string) (n *yaml.Node, line int, found bool) {
	n = p.root
	for _, step := range pathStep.FindAllStringSubmatch(key, -1) {
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
			return n, line, false
		}
		n = resolve(next)
	}
	return n, line, true
}

// resolve returns what an alias stands for, and any other node as it is.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
