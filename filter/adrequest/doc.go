// Package adrequest owns the edges of /ad_request: what a request asks for, and the bytes of every answer.
//
// [Parse] turns a method and a path into a [Query] or into the [Reply] that refuses it. Replies are built once, when the
// program starts, so answering allocates nothing. The package is pure and knows neither the proxy nor the index: whether an ad
// exists for a well-formed query is not its question, and neither is the path before the "?", which the proxy's routes decide.
//
// A query is application/x-www-form-urlencoded, by the letter: parameters are separated by "&" alone, names and values are
// percent-decoded once, "+" is a space, names are case-sensitive and nothing is trimmed. Parameters other than country and
// lang are ignored.
package adrequest
