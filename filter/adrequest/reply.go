package adrequest

import "strconv"

// Reply is an answer that is the same each time. Replies are shared: neither they nor what they hold may be changed.
type Reply struct {
	// Status is the HTTP status.
	Status uint32
	// Body is compact JSON: {"message":"…","code":"…"} and, where one parameter is to blame, "param".
	Body []byte
	// Headers are the reply's own, in lower case. Those that every answer of the gateway has are added by the proxy.
	Headers [][2]string
}

// AdHeaders are the headers of the 200, whose body AppendBody writes. They are shared and must not be changed.
var AdHeaders = jsonHeaders()

// Replies to a valid query.
var (
	// NoAd says that the index has no ad for this country and language at this minute.
	NoAd = newReply(404, "no_ad_available", "There is no ad for this country and language right now. Show none and play on.", "")
	// Unavailable says that there is no index yet, so whether there is an ad is not known. Its retry-after is short: an index
	// arrives within seconds of the control plane.
	Unavailable = newReply(503, "campaigns_unavailable", "The ads are not loaded yet. Try again in a few seconds.", "",
		[2]string{"retry-after", "5"})
	// Internal says that the filter itself failed.
	Internal = newReply(500, "internal", "Something went wrong on our side. Show no ad and play on.", "")
)

// Replies of Parse.
var (
	methodNotAllowed = newReply(405, "method_not_allowed", "This endpoint answers GET and HEAD only.", "",
		[2]string{"allow", methodGet + ", " + methodHead})
	uriTooLong = newReply(414, "uri_too_long",
		"The query is longer than "+strconv.Itoa(maxQuery)+" bytes. country and lang are all it needs.", "")
	countryReplies = newParameterReplies("country", "exactly 2 letters, as in country=us")
	langReplies    = newParameterReplies("lang", "2 or 3 letters, as in lang=en or lang=eng")
)

type parameterReplies struct{ missing, duplicate, invalid Reply }

func newParameterReplies(name, shape string) parameterReplies {
	return parameterReplies{
		missing:   newReply(400, "missing_parameter", "The parameter "+name+" is missing or empty: send "+shape+".", name),
		duplicate: newReply(400, "duplicate_parameter", "The parameter "+name+" is given more than once with different values.", name),
		invalid:   newReply(400, "invalid_parameter", "The parameter "+name+" must be "+shape+".", name),
	}
}

func jsonHeaders(more ...[2]string) [][2]string {
	return append([][2]string{{"content-type", "application/json"}}, more...)
}

func newReply(status uint32, code, message, param string, headers ...[2]string) Reply {
	body := appendText([]byte(`{"message":"`), message)
	body = appendText(append(body, `","code":"`...), code)
	if param != "" {
		body = appendText(append(body, `","param":"`...), param)
	}
	return Reply{Status: status, Body: append(body, `"}`...), Headers: jsonHeaders(headers...)}
}
