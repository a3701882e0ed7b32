package campaign

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode"

	"adsidecar/controlplane/zone"
)

// optional has the optional fields of an ad, where they are valid: else, and where they are absent, their defaults. The texts alias
// the document.
type optional struct {
	name             []byte
	labels           [][]byte
	paused           bool
	priority, weight int
	timeZone         string
	days             Days
	startAt, endAt   Instant
}

func (a *ad) parseOptional() {
	o := &a.optional
	*o = optional{weight: MinWeight, labels: o.labels[:0]}
	if a.has(fieldName) {
		o.name, _ = a.words(fieldName, ReasonInvalidName, MaxNameBytes)
	}
	if a.has(fieldLabels) {
		o.labels = a.parseLabels(o.labels)
	}
	if a.has(fieldEnabled) {
		o.paused = !a.boolean(fieldEnabled)
	}
	if a.has(fieldPriority) {
		o.priority = a.integer(fieldPriority, MinPriority, MaxPriority)
	}
	if a.has(fieldWeight) {
		o.weight = a.integer(fieldWeight, MinWeight, MaxWeight)
	}
	if a.has(fieldTimeZone) {
		o.timeZone = a.code(fieldTimeZone, ReasonInvalidTimeZone, a.zones, parseZone)
	}
	if a.has(fieldDays) {
		o.days = a.parseDays()
	}
	if a.has(fieldStartAt) {
		o.startAt = a.instant(fieldStartAt)
	}
	if a.has(fieldEndAt) {
		o.endAt = a.instant(fieldEndAt)
	}
	if o.startAt != 0 && o.endAt != 0 && o.startAt.Minute() >= o.endAt.Minute() {
		a.fail(fieldEndAt, ReasonEmptyFlight, "must be after start_at, %s", o.startAt)
	}
}

// keepOptional returns a campaign with the optional fields alone.
func (a *ad) keepOptional() *Campaign {
	o := &a.optional
	c := &Campaign{
		Name: a.strings.keep(o.name), Paused: o.paused, Priority: o.priority, Weight: o.weight,
		TimeZone: o.timeZone, Days: o.days, StartAt: o.startAt, EndAt: o.endAt,
	}
	for _, label := range o.labels {
		c.Labels = append(c.Labels, a.strings.keep(label))
	}
	return c
}

func (a *ad) has(f field) bool { return a.raw[f] != nil }

// words returns the value of a field that is text for people.
func (a *ad) words(f field, invalid string, most int) ([]byte, bool) {
	s, ok := a.text(f, invalid)
	switch {
	case !ok:
	case len(s) > most:
		a.fail(f, ReasonTooLong, "is %d bytes long, at most %d are allowed", len(s), most)
	case bytes.ContainsFunc(s, unicode.IsControl):
		a.fail(f, invalid, "must not have control characters, is %s", quoted(s))
	default:
		return s, true
	}
	return nil, false
}

func (a *ad) boolean(f field) bool {
	raw, ok := a.value(f)
	if ok && kindOf(raw) != kindBoolean {
		a.fail(f, ReasonWrongType, "must be true or false, is %s", kindOf(raw))
	}
	return ok && raw[0] == 't'
}

// parseLabels appends the labels to the empty slice given. One that stands there twice counts once.
func (a *ad) parseLabels(labels [][]byte) [][]byte {
	for n, s := range a.list(fieldLabels, ReasonInvalidLabels) {
		switch {
		case len(s) == 0:
			a.fail(fieldLabels, ReasonInvalidLabels, "number %d is empty", n)
		case len(s) > MaxLabelBytes:
			a.fail(fieldLabels, ReasonTooLong, "number %d is %d bytes long, at most %d are allowed", n, len(s), MaxLabelBytes)
		case bytes.ContainsFunc(s, unicode.IsControl):
			a.fail(fieldLabels, ReasonInvalidLabels, "number %d must not have control characters, is %s", n, quoted(s))
		case slices.ContainsFunc(labels, func(label []byte) bool { return bytes.Equal(label, s) }):
			continue
		case len(labels) == MaxLabels:
			a.fail(fieldLabels, ReasonTooMany, "at most %d different ones are allowed", MaxLabels)
		default:
			labels = append(labels, s)
			continue
		}
		return labels[:0]
	}
	return labels
}

// parseDays returns the set of the days that are listed. One that stands there twice counts once.
func (a *ad) parseDays() Days {
	var days Days
	failed := a.failed
	for n, s := range a.list(fieldDays, ReasonInvalidDays) {
		day, ok := parseDay(s)
		if !ok {
			a.fail(fieldDays, ReasonInvalidDays, "number %d must be one of mon, tue, wed, thu, fri, sat and sun, is %s", n, quoted(s))
			return 0
		}
		days |= 1 << day
	}
	if days == 0 && a.failed == failed && !a.done() {
		a.fail(fieldDays, ReasonInvalidDays, "must not be empty; every day is meant where it is absent")
	}
	return days.canonical()
}

// list yields the strings of a field that is an array of strings, numbered from 1. It ends early, with a problem, where there is another
// value.
func (a *ad) list(f field, invalid string) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		raw, ok := a.value(f)
		if !ok {
			return
		}
		if k := kindOf(raw); k != kindArray {
			a.fail(f, ReasonWrongType, "must be an array of strings, is %s", k)
			return
		}
		n := 0
		for i := skipSpace(raw, 1); byteAt(raw, i) != ']'; i = skipSpace(raw, i) {
			if raw[i] == ',' {
				i = skipSpace(raw, i+1)
			}
			n++
			if k := kindOf(raw[i:]); k != kindString {
				a.fail(f, ReasonWrongType, "must be an array of strings, number %d is %s", n, k)
				return
			}
			end := scanString(raw, i)
			s, err := unquote(raw[i:end])
			if err != nil {
				a.fail(f, invalid, "number %d %v", n, err)
				return
			}
			if !yield(n, s) {
				return
			}
			i = end
		}
	}
}

var errZone = errors.New("must be the name of a time zone in the tz database " + zone.Version())

// parseZone returns the canonical name of a time zone, which is empty for UTC.
func parseZone(name string) (string, error) {
	if name == zone.UTC {
		return "", nil
	}
	if _, err := zone.Load(name); err != nil {
		return "", errZone
	}
	return strings.Clone(name), nil
}
