package campaign

// Reasons why an ad is rejected. The set is closed: they label metrics and are part of the API.
const (
	ReasonMissingField   = "missing_field"   // one of the six fields is absent
	ReasonWrongType      = "wrong_type"      // another JSON type than the field's, null included, or an ad that is not an object
	ReasonOutOfRange     = "out_of_range"    // an hour outside its range
	ReasonTooLong        = "too_long"        // an id or video_url over its limit
	ReasonInvalidID      = "invalid_id"      // empty, or not printable ASCII
	ReasonInvalidURL     = "invalid_url"     // not an absolute http(s) URL with a host, or with control characters
	ReasonInvalidCountry = "invalid_country" // not two ASCII letters
	ReasonInvalidLang    = "invalid_lang"    // not two or three ASCII letters
	ReasonDuplicateField = "duplicate_field" // one of the six fields stands twice in the ad
	ReasonDuplicate      = "duplicate"       // an earlier valid ad has the same id
)

// Reasons returns every reason, in the order of the constants.
func Reasons() []string {
	return []string{
		ReasonMissingField, ReasonWrongType, ReasonOutOfRange, ReasonTooLong, ReasonInvalidID, ReasonInvalidURL,
		ReasonInvalidCountry, ReasonInvalidLang, ReasonDuplicateField, ReasonDuplicate,
	}
}

// Reject says why one ad is not served. An ad has at most one Reject: the first problem in the order of the fields
// (id, video_url, country, lang, start_hour, end_hour), with the others named in Detail.
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
