package gateway

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// Duration is a time.Duration that is written with its unit. A bare number is refused: nobody means 15 nanoseconds.
type Duration time.Duration

// D is d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// UnmarshalYAML reads "15s", "1m30s", "250ms" or "0s".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || n.Value == "0" {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot read %q as a time: write it with its unit, such as 15s", n.Line, n.Value)}}
	}
	if v < 0 {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is a negative time", n.Line, n.Value)}}
	}
	*d = Duration(v)
	return nil
}
