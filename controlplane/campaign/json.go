package campaign

import "strconv"

// AppendJSON appends the canonical JSON of a valid campaign: the six fields that each must have, then those of the others that differ
// from their defaults, without white space. ParseOne reads it back, and gives a campaign without Index.
func AppendJSON(b []byte, c *Campaign) []byte {
	b = appendText(append(b, `{"id":`...), c.ID)
	b = appendText(append(b, `,"video_url":`...), c.VideoURL)
	b = appendText(append(b, `,"country":`...), c.Country)
	b = appendText(append(b, `,"lang":`...), c.Lang)
	b = strconv.AppendInt(append(b, `,"start_hour":`...), int64(c.StartHour), 10)
	b = strconv.AppendInt(append(b, `,"end_hour":`...), int64(c.EndHour), 10)
	if c.Name != "" {
		b = appendText(append(b, `,"name":`...), c.Name)
	}
	if len(c.Labels) > 0 {
		b = appendTexts(append(b, `,"labels":`...), c.Labels)
	}
	if c.Paused {
		b = append(b, `,"enabled":false`...)
	}
	if c.Priority != 0 {
		b = strconv.AppendInt(append(b, `,"priority":`...), int64(c.Priority), 10)
	}
	if c.Weight > MinWeight {
		b = strconv.AppendInt(append(b, `,"weight":`...), int64(c.Weight), 10)
	}
	if c.TimeZone != "" {
		b = appendText(append(b, `,"time_zone":`...), c.TimeZone)
	}
	if days := c.Days.names(); len(days) > 0 {
		b = appendTexts(append(b, `,"days":`...), days)
	}
	if c.StartAt != 0 {
		b = appendText(append(b, `,"start_at":`...), c.StartAt.String())
	}
	if c.EndAt != 0 {
		b = appendText(append(b, `,"end_at":`...), c.EndAt.String())
	}
	return append(b, '}')
}

func appendTexts(b []byte, texts []string) []byte {
	open := byte('[')
	for _, text := range texts {
		b = appendText(append(b, open), text)
		open = ','
	}
	return append(b, ']')
}

// appendText escapes no more than JSON must: URLs stay readable. The texts of a valid campaign are UTF-8 without control characters.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"')
}
