package api

import (
	"bufio"
	"time"
)

// exportPart is how many campaigns are written before the connection's deadline moves.
const exportPart = 1000

func (s *server) exportDocument(c *call) error {
	q, err := c.params("origin")
	if err != nil {
		return err
	}
	f, err := readFilter(q)
	if err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", `attachment; filename="campaigns.json"`)
	w := bufio.NewWriterSize(c.w, 64<<10)
	_, _ = w.WriteString(`{"ads":[`) // Flush has the error
	separator := "\n"
	now := s.Now()
	for n, i := range v.list() {
		if n%exportPart == 0 {
			c.extend(time.Minute)
			if c.gone() {
				break
			}
		}
		if !f.match(i, now) {
			continue
		}
		_, _ = w.WriteString(separator)
		_, _ = w.Write(i.canonical())
		separator = ",\n"
	}
	_, _ = w.WriteString("\n]}\n")
	_ = w.Flush() // the client may be gone
	return nil
}

// gone says that nobody waits for the answer any more.
func (c *call) gone() bool { return c.Context().Err() != nil }
