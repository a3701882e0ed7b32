package adrequest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
)

// idSize is the size of the number that an ad begins with in the index.
const idSize = 2

// AppendAd appends an ad as the index holds it to dst and returns the longer slice: the length of the id as a little-endian
// uint16, then the id and the url, each as it stands between the quotes of a JSON string. [AppendBody] makes the answer of it,
// in which the url stands twice. Held like this an ad takes about half of what its answer does.
//
// Only what JSON must escape is escaped, so a url with "&" or "<" stays as it is. What is not UTF-8 is replaced by U+FFFD, as
// encoding/json does, since JSON cannot hold it; everything else decodes to the same bytes. It fails, with dst as it was, on an
// id that takes more than 65,535 bytes. The filter never calls it: ads are written when the index is compiled.
func AppendAd(dst []byte, id, url string) ([]byte, error) {
	begin := len(dst)
	long := appendText(append(dst, 0, 0), id)
	n := len(long) - begin - idSize
	if n > math.MaxUint16 {
		return dst, fmt.Errorf("the id takes %d bytes, at most %d fit", n, math.MaxUint16)
	}
	binary.LittleEndian.PutUint16(long[begin:], uint16(n))
	return appendText(long, url), nil
}

// CheckAd returns an error for what [AppendBody] cannot make an answer of, whatever ad holds. It takes the same time for all ads,
// and does not look into the texts.
func CheckAd(ad []byte) error {
	if len(ad) < idSize {
		return errors.New("an ad without the length of its id")
	}
	if n := int(binary.LittleEndian.Uint16(ad)); n > len(ad)-idSize {
		return fmt.Errorf("an id of %d bytes in an ad of %d", n, len(ad))
	}
	return nil
}

// AppendBody appends the body of the 200 for an ad that CheckAd accepts to dst, and returns the longer slice:
//
//	{"id":"…","url":"…","videoUrl":"…"}
//
// The url stands in it twice, for the two generations of clients. The JSON is compact.
func AppendBody(dst, ad []byte) []byte {
	text := ad[idSize:]
	n := binary.LittleEndian.Uint16(ad)
	id, url := text[:n], text[n:]
	dst = append(append(dst, `{"id":"`...), id...)
	dst = append(append(dst, `","url":"`...), url...)
	dst = append(append(dst, `","videoUrl":"`...), url...)
	return append(dst, `"}`...)
}

// appendText appends s as it stands between the quotes of a JSON string. Stretches that stand for themselves are copied whole: that
// is nearly all there is, and the texts of a million ads are written for one index.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for {
		n := plain(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return dst
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			dst = utf8.AppendRune(dst, r)
		}
		s = s[n+size:]
	}
}

// plain returns how many bytes s begins with that stand for themselves in a JSON string: ASCII but control characters, quotes and
// backslashes.
func plain(s string) int {
	const (
		ones = 0x0101_0101_0101_0101
		high = 0x80 * ones
	)
	n := 0
	// Eight at a time. The high bit of a byte of odd is set where it is no such byte; of others only above the first such one.
	for ; len(s)-n >= 8; n += 8 {
		t := s[n : n+8]
		v := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		odd := v | (v - ' '*ones) | ((v ^ '"'*ones) - ones) | ((v ^ '\\'*ones) - ones)
		if odd &= high; odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
	}
	for n < len(s) && ' ' <= s[n] && s[n] < utf8.RuneSelf && s[n] != '"' && s[n] != '\\' {
		n++
	}
	return n
}
