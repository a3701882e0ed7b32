package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"adsidecar/e2e/bench/workload"
)

// adTable is what a document says, worked out for the contenders that do not compile documents themselves: the answers of each key, in the
// order of their turns. It is worked out anew here, so that the contenders prove each other.
type adTable map[workload.Key][]tableLine

// tableLine is an answer.
type tableLine struct {
	hours string // 24 digits, one for each hour of the UTC day: 1 if it is served then
	body  string
}

// hourOf is the hour of the UTC day.
func hourOf(t time.Time) int { return int(t.Unix() / 3600 % 24) }

// tableOf reads a document whose ads are all valid, and none of whose texts needs an escape.
func tableOf(document []byte) (adTable, error) {
	type ad struct {
		ID      string `json:"id"`
		URL     string `json:"video_url"`
		Country string `json:"country"`
		Lang    string `json:"lang"`
		Start   int    `json:"start_hour"`
		End     int    `json:"end_hour"`
	}
	var doc struct {
		Ads []ad `json:"ads"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	slices.SortFunc(doc.Ads, func(a, b ad) int { return strings.Compare(a.ID, b.ID) }) // turns are in order of ids
	table := adTable{}
	for _, ad := range doc.Ads {
		key := workload.Key{Country: ad.Country, Lang: ad.Lang}
		table[key] = append(table[key], tableLine{
			hours: hoursOf(ad.Start, ad.End%24),
			body:  `{"id":"` + ad.ID + `","url":"` + ad.URL + `","videoUrl":"` + ad.URL + `"}`,
		})
	}
	return table, nil
}

// hoursOf is the rule of a document's hours: equal ones are the whole day, and a start after the end goes across midnight.
func hoursOf(start, end int) string {
	var hours [24]byte
	for h := range hours {
		hours[h] = '0'
		if start == end || start < end && start <= h && h < end || start > end && (h >= start || h < end) {
			hours[h] = '1'
		}
	}
	return string(hours[:])
}

// cycle is the answers that take turns in an hour of the UTC day.
func (t adTable) cycle(key workload.Key, hour int) []string {
	var bodies []string
	for _, line := range t[key] {
		if line.hours[hour] == '1' {
			bodies = append(bodies, line.body)
		}
	}
	return bodies
}

// write writes a line for each answer: country, language, hours and body, separated by tabs.
func (t adTable) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	w := bufio.NewWriter(f)
	for key, lines := range t {
		for _, line := range lines {
			_, _ = w.WriteString(key.Country + "\t" + key.Lang + "\t" + line.hours + "\t" + line.body + "\n") // Flush tells
		}
	}
	if err := w.Flush(); err != nil {
		_ = f.Close() // err says what matters
		return fmt.Errorf("write the table: %w", err)
	}
	return f.Close()
}

// readTable reads what write wrote.
func readTable(path string) (adTable, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the table: %w", err)
	}
	table := adTable{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 4 || len(fields[2]) != 24 {
			return nil, fmt.Errorf("read the table: a line is %.100q", line)
		}
		key := workload.Key{Country: fields[0], Lang: fields[1]}
		table[key] = append(table[key], tableLine{hours: fields[2], body: fields[3]})
	}
	return table, nil
}
