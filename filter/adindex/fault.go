package adindex

import (
	"errors"
	"strconv"
)

// fault returns an error whose text is the parts, one behind the other: texts, keys and whole numbers of the types below. Package
// fmt, which does more than that, would make the module that every Envoy compiles before it serves a quarter larger.
func fault(parts ...any) error {
	var text []byte
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			text = append(text, p...)
		case Key:
			text = append(text, p.String()...)
		case hexNumber:
			text = append(text, p.digits()...)
		case int:
			text = strconv.AppendInt(text, int64(p), 10)
		case uint32:
			text = strconv.AppendUint(text, uint64(p), 10)
		case uint64:
			text = strconv.AppendUint(text, p, 10)
		}
	}
	return errors.New(string(text))
}

// hexNumber is written in at least so many hexadecimal digits.
type hexNumber struct {
	number uint32
	width  int
}

func (h hexNumber) digits() string {
	text := strconv.FormatUint(uint64(h.number), 16)
	for len(text) < h.width {
		text = "0" + text
	}
	return text
}
