package adrequest

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// An ad as the index holds it:
//
//	┌─────────┬────────────────┬┈┈┈┈┈┈┈┈┈┈┬┈┈┈┈┈┈┈┈┈┈┈┈┬─────┬────────────────┐
//	│ kind u8 │ id's size u16  │ base u32 │ shared u16 │ id  │ rest of the url │
//	└─────────┴────────────────┴┈┈┈┈┈┈┈┈┈┈┴┈┈┈┈┈┈┈┈┈┈┈┈┴─────┴────────────────┘
//
// Numbers are little endian. Base and shared are there if the kind says so.
const (
	kindHex   = 1 << iota // the id is lower-case hex digits: two of them are a byte here
	kindBased             // the url begins as that of another ad does
	kinds                 // what is above is unknown

	offID    = 1
	headSize = 3
	baseSize = 6
)

// Base says what an ad's url begins with: the first Shared bytes of the url of ad number Ad, which is held whole. Urls of one document
// begin alike as a rule: so held, an ad takes about half the room.
type Base struct {
	Ad     uint32
	Shared uint16 // counted as the url stands between the quotes of a JSON string; see TextSize
}

// AppendAd appends an ad as the index holds it to dst and returns the longer slice. [AppendBody] makes the answer of it, in which the
// url stands twice.
//
// Texts are held as they stand between the quotes of a JSON string. Only what JSON must escape is escaped, so a url with "&" or "<" stays
// as it is. What is not UTF-8 is replaced by U+FFFD, as encoding/json does, since JSON cannot hold it; everything else decodes to the
// same bytes. It fails, with dst as it was, on an id that takes more than 65,535 bytes. The filter never calls it: ads are written
// when the index is compiled.
func AppendAd(dst []byte, id, url string) ([]byte, error) { return appendAd(dst, id, nil, url) }

// AppendAdLike is AppendAd for a url of which all but the rest is that of the base. The url must not be parted inside a rune.
func AppendAdLike(dst []byte, id string, base Base, rest string) ([]byte, error) {
	return appendAd(dst, id, &base, rest)
}

func appendAd(dst []byte, id string, base *Base, url string) ([]byte, error) {
	begin := len(dst)
	kind := byte(0)
	long := append(dst, 0, 0, 0)
	if base != nil {
		kind |= kindBased
		long = append(long, byte(base.Ad), byte(base.Ad>>8), byte(base.Ad>>16), byte(base.Ad>>24), byte(base.Shared), byte(base.Shared>>8))
	}
	texts := len(long)
	if packed, ok := appendHex(long, id); ok {
		kind |= kindHex
		long = packed
	} else {
		long = appendText(long, id)
	}
	n := len(long) - texts
	if n > math.MaxUint16 {
		return dst, errors.New("the id takes " + strconv.Itoa(n) + " bytes, at most " + strconv.Itoa(math.MaxUint16) + " fit")
	}
	long[begin], long[begin+offID], long[begin+offID+1] = kind, byte(n), byte(n>>8)
	return appendText(long, url), nil
}

// TextSize returns how many bytes s takes between the quotes of a JSON string.
func TextSize(s string) int { return len(appendText(nil, s)) }

// BaseOf returns the number of the ad whose url this one's begins with, or false: its own is whole. The ad must be one that CheckAd
// accepts, or CheckAd is to be called with that ad next.
func BaseOf(ad []byte) (number uint32, ok bool) {
	if len(ad) < headSize+baseSize || ad[0]&kindBased == 0 {
		return 0, false
	}
	b := ad[headSize:]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, true
}

// CheckAd returns an error for what [AppendBody] cannot make an answer of, whatever ad and base hold: base is the ad that BaseOf names, nil if
// there is none. It takes the same time for all ads, and does not look into the texts.
func CheckAd(ad, base []byte) error {
	h, err := split(ad)
	if err != nil {
		return err
	}
	if !h.based {
		return nil
	}
	b, err := split(base)
	switch {
	case err != nil:
		return errors.New("its base: " + err.Error())
	case b.based:
		return errors.New("its base has a base")
	case h.shared > len(b.url):
		return errors.New("it shares " + strconv.Itoa(h.shared) + " bytes of a url of " + strconv.Itoa(len(b.url)))
	}
	return nil
}

// Checker returns CheckAd for ads whose bases it finds by their numbers. Where there is no such ad body returns nil.
func Checker(body func(number uint32) []byte) func(ad []byte) error {
	return func(ad []byte) error {
		if number, ok := BaseOf(ad); ok {
			return CheckAd(ad, body(number))
		}
		return CheckAd(ad, nil)
	}
}

// parts are an ad's.
type parts struct {
	hex, based bool
	shared     int
	id, url    []byte
}

func split(ad []byte) (parts, error) {
	if len(ad) < headSize {
		return parts{}, errors.New("an ad of " + strconv.Itoa(len(ad)) + " bytes")
	}
	if ad[0] >= kinds {
		return parts{}, errors.New("an ad of unknown kind " + strconv.Itoa(int(ad[0])))
	}
	p := parts{hex: ad[0]&kindHex != 0, based: ad[0]&kindBased != 0}
	n, texts := int(ad[offID])|int(ad[offID+1])<<8, ad[headSize:]
	if p.based {
		if len(texts) < baseSize {
			return parts{}, errors.New("an ad of " + strconv.Itoa(len(ad)) + " bytes with a base")
		}
		p.shared, texts = int(texts[4])|int(texts[5])<<8, texts[baseSize:]
	}
	if n > len(texts) {
		return parts{}, errors.New("an id of " + strconv.Itoa(n) + " bytes in an ad of " + strconv.Itoa(len(ad)))
	}
	p.id, p.url = texts[:n], texts[n:]
	return p, nil
}

// AppendBody appends the body of the 200 for an ad that CheckAd accepts with this base to dst, and returns the longer slice:
//
//	{"id":"…","url":"…","videoUrl":"…"}
//
// The url stands in it twice, for the two generations of clients. The JSON is compact.
func AppendBody(dst, ad, base []byte) []byte {
	p, _ := split(ad) // CheckAd has accepted both
	var begin []byte
	if p.based {
		b, _ := split(base)
		begin = b.url[:p.shared]
	}
	dst = append(dst, `{"id":"`...)
	if p.hex {
		for _, b := range p.id {
			dst = append(dst, digits[b>>4], digits[b&0xf])
		}
	} else {
		dst = append(dst, p.id...)
	}
	dst = append(append(append(dst, `","url":"`...), begin...), p.url...)
	dst = append(append(append(dst, `","videoUrl":"`...), begin...), p.url...)
	return append(dst, `"}`...)
}

const digits = "0123456789abcdef"

// appendHex appends the bytes that lower-case hex digits stand for, or false with dst as it was: s is something else, and could not be
// written again as it was.
func appendHex(dst []byte, s string) ([]byte, bool) {
	if s == "" || len(s)%2 != 0 {
		return dst, false
	}
	begin := len(dst)
	for i := 0; i+1 < len(s); i += 2 {
		high, low := nibbles[s[i]], nibbles[s[i+1]]
		if high|low >= none {
			return dst[:begin], false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

// none is more than any digit is worth.
const none = 0x80

// nibbles are what lower-case hex digits are worth.
var nibbles = func() (table [256]byte) {
	for i := range table {
		table[i] = none
	}
	for i := range len(digits) {
		table[digits[i]] = byte(i)
	}
	return table
}()

// appendText appends s as it stands between the quotes of a JSON string. Stretches that stand for themselves are copied whole: that
// is nearly all there is, and the texts of a million ads are written for one index.
func appendText(dst []byte, s string) []byte {
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
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&0xf])
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
