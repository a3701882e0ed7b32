package campaign

// Reasons why an ad is rejected. The set is closed: they label metrics and are part of the API.
const (
	ReasonMissingField    = "missing_field"     // one of the six fields that an ad must have is absent
	ReasonWrongType       = "wrong_type"        // another JSON type than the field's, null included, or an ad that is not an object
	ReasonOutOfRange      = "out_of_range"      // an integer outside its range
	ReasonTooLong         = "too_long"          // a text over its limit
	ReasonTooMany         = "too_many"          // more labels than an ad may have
	ReasonInvalidID       = "invalid_id"        // empty, or not printable ASCII
	ReasonInvalidURL      = "invalid_url"       // not an absolute http(s) URL with a host, or with control characters
	ReasonInvalidCountry  = "invalid_country"   // neither two ASCII letters nor *
	ReasonInvalidLang     = "invalid_lang"      // neither two or three ASCII letters nor *
	ReasonInvalidName     = "invalid_name"      // with control characters
	ReasonInvalidLabels   = "invalid_labels"    // one is empty or has control characters
	ReasonInvalidTimeZone = "invalid_time_zone" // no name in the tz database
	ReasonInvalidDays     = "invalid_days"      // an empty list, or with something else than a day
	ReasonInvalidTime     = "invalid_time"      // not of RFC 3339 with an offset, or not a whole minute
	ReasonEmptyFlight     = "empty_flight"      // start_at is not before end_at
	ReasonDuplicateField  = "duplicate_field"   // one of the known fields stands twice in the ad
	ReasonDuplicate       = "duplicate"         // an earlier valid ad has the same id
)

// Reasons that only ParseOne has: a source document has none of them.
const (
	ReasonMalformed    = "malformed"     // not JSON
	ReasonUnknownField = "unknown_field" // a field that a campaign does not have
)

// Reasons returns every reason that an ad of a document may be rejected for, in the order of the constants.
func Reasons() []string {
	return []string{
		ReasonMissingField, ReasonWrongType, ReasonOutOfRange, ReasonTooLong, ReasonTooMany, ReasonInvalidID, ReasonInvalidURL,
		ReasonInvalidCountry, ReasonInvalidLang, ReasonInvalidName, ReasonInvalidLabels, ReasonInvalidTimeZone, ReasonInvalidDays,
		ReasonInvalidTime, ReasonEmptyFlight, ReasonDuplicateField, ReasonDuplicate,
	}
}

// Reject says why one ad is not served. An ad has at most one Reject: the first problem in the order of the fields
// (id, video_url, country, lang, start_hour, end_hour, name, labels, enabled, priority, weight, time_zone, days, start_at, end_at),
// with the others named in Detail.
type Reject struct {
	Index int `json:"index"` // place in the document's array, counted from 0
	Line  int `json:"line"`  // line on which the ad begins, counted from 1

	ID      string `json:"id,omitempty"`      // where the ad has a valid one
	Country string `json:"country,omitempty"` // canonical, where the ad has a valid one
	Lang    string `json:"lang,omitempty"`    // canonical, where the ad has a valid one

	Field  string `json:"field,omitempty"` // empty if the ad is no object at all
	Reason string `json:"reason"`
	Detail string `json:"detail"` // for people; quotes at most a few bytes of the document, escaped
}
