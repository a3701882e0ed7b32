package gateway

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var (
	yamlLine    = regexp.MustCompile(`(?s)^(?:yaml: )?line (\d+): (.*)$`)
	yamlGoType  = regexp.MustCompile(` into (?:gateway\.)?([A-Za-z0-9_*.\[\]]+)$`)
	yamlTagName = regexp.MustCompile(`cannot unmarshal !!(\w+)`)
)

// yamlFindings turns the library's errors into findings, without the names of Go types.
func (p *parser) yamlFindings(err error) Findings {
	lines := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		lines = te.Errors
	}
	var fs Findings
	for _, l := range lines {
		f := Finding{File: p.file, Message: strings.TrimPrefix(l, "yaml: ")}
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
		f.Message = p.conceal(f.Line, f.Message)
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
	case t == "string", t == "Token", t == "Protocol", t == "Access", t == "Endpoint":
		return "text"
	case t == "bool":
		return "true or false"
	}
	return "a map of keys"
}
