package stack

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// readSeries reads a page in Prometheus' text format: the value of each series, by name and labels as written there.
func readSeries(ctx context.Context, url string) (map[string]float64, error) {
	status, body, err := fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d: %.200s", url, status, body)
	}
	return parseSeries(body)
}

func parseSeries(page []byte) (map[string]float64, error) {
	series := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(page))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		// A label's value may hold spaces: the name ends with the brace, or at the first space if there is none.
		end := strings.LastIndexByte(line, '}') + 1
		if end == 0 {
			end = strings.IndexByte(line, ' ')
		}
		if end <= 0 {
			return nil, fmt.Errorf("read series: %q has no value", line)
		}
		fields := strings.Fields(line[end:]) // the value, and perhaps a time
		if len(fields) == 0 {
			return nil, fmt.Errorf("read series: %q has no value", line)
		}
		value, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, fmt.Errorf("read series: %q: %w", line, err)
		}
		series[line[:end]] = value
	}
	return series, lines.Err()
}
