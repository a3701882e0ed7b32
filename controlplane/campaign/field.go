package campaign

import (
	"bytes"
	"slices"
)

// field is a field of an ad. Rejects name an ad's problems in this order.
type field int

const (
	fieldID field = iota
	fieldVideoURL
	fieldCountry
	fieldLang
	fieldStartHour
	fieldEndHour
	fieldName
	fieldLabels
	fieldEnabled
	fieldPriority
	fieldWeight
	fieldTimeZone
	fieldDays
	fieldStartAt
	fieldEndAt
	fieldCount

	// plainFields is how many fields every ad must have; the others are optional.
	plainFields = fieldName
)

// fieldNames has an empty name for fieldCount, which stands for the whole ad.
var fieldNames = [fieldCount + 1]string{
	"id", "video_url", "country", "lang", "start_hour", "end_hour",
	"name", "labels", "enabled", "priority", "weight", "time_zone", "days", "start_at", "end_at", "",
}

func (f field) String() string { return fieldNames[f] }

// fieldOf returns the field that a quoted key names, or fieldCount for any other key.
func fieldOf(key []byte) field {
	switch string(key[1 : len(key)-1]) {
	case "id":
		return fieldID
	case "video_url":
		return fieldVideoURL
	case "country":
		return fieldCountry
	case "lang":
		return fieldLang
	case "start_hour":
		return fieldStartHour
	case "end_hour":
		return fieldEndHour
	}
	return rareFieldOf(key)
}

// rareFieldOf is for keys that are no plain field's as it is commonly written.
func rareFieldOf(key []byte) field {
	name := key[1 : len(key)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		decoded, err := unquote(key)
		if err != nil {
			return fieldCount
		}
		name = decoded
	}
	if f := slices.Index(fieldNames[:fieldCount], string(name)); f >= 0 {
		return field(f)
	}
	return fieldCount
}
