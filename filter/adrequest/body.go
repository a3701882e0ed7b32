package adrequest

import "unicode/utf8"

// AppendAd appends the body of the 200 to dst and returns the longer slice:
//
//	{"id":"…","url":"…","videoUrl":"…"}
//
// url stands in it twice, for the two generations of clients. The JSON is compact and escapes only what JSON must, so a url with
// "&" or "<" stays as it is. What is not UTF-8 is replaced by U+FFFD, as encoding/json does, since JSON cannot hold it; everything
// else decodes to the same bytes. The filter never calls it: bodies are rendered when the index is compiled.
func AppendAd(dst []byte, id, url string) []byte {
	dst = appendString(append(dst, `{"id":`...), id)
	dst = append(dst, `,"url":`...)
	begin := len(dst)
	dst = appendString(dst, url)
	end := len(dst)
	dst = append(dst, `,"videoUrl":`...)
	dst = append(dst, dst[begin:end]...)
	return append(dst, '}')
}

// appendString appends s as a JSON string. What stands for itself is copied whole: that is nearly all there is, and a million
// answers are rendered for one index.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0
	for plain < len(s) && ' ' <= s[plain] && s[plain] < utf8.RuneSelf && s[plain] != '"' && s[plain] != '\\' {
		plain++
	}
	dst = append(dst, s[:plain]...)
	for _, r := range s[plain:] {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
