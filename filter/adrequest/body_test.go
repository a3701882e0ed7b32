package adrequest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestAnAdIsWrittenAsDocumented(t *testing.T) {
	tests := map[string]struct{ id, url, want string }{
		"plain":                     {"A1", "https://v/1.mp4", "\x00\x02\x00A1https://v/1.mp4"},
		"escaped":                   {`"`, `\`, "\x00\x02\x00" + `\"\\`},
		"nothing":                   {"", "", "\x00\x00\x00"},
		"no id":                     {"", "u", "\x00\x00\x00u"},
		"no url":                    {"id", "", "\x00\x02\x00id"},
		"hex digits":                {"0aff", "u", "\x01\x02\x00\x0a\xffu"},
		"an odd number of digits":   {"0af", "u", "\x00\x03\x000afu"},
		"upper-case digits":         {"0AFF", "u", "\x00\x04\x000AFFu"},
		"below nought":              {"0a/0", "u", "\x00\x04\x000a/0u"},
		"above nine":                {"0a:0", "u", "\x00\x04\x000a:0u"},
		"below a":                   {"0a`0", "u", "\x00\x04\x000a`0u"},
		"above f":                   {"0ag0", "u", "\x00\x04\x000ag0u"},
		"more than 255 bytes of id": {strings.Repeat("i", 0x0203), "u", "\x00\x03\x02" + strings.Repeat("i", 0x0203) + "u"},
		"the longest id":            {strings.Repeat("i", 0xffff), "u", "\x00\xff\xff" + strings.Repeat("i", 0xffff) + "u"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ad, err := AppendAd([]byte("before"), tc.id, tc.url)
			require.NoError(t, err)
			require.Equal(t, "before"+tc.want, string(ad))
			require.NoError(t, CheckAd(ad[len("before"):], nil))
			_, ok := BaseOf(ad[len("before"):])
			require.False(t, ok)
		})
	}
	dst := []byte("before")
	ad, err := AppendAd(dst, strings.Repeat("i", 0xffff-1)+`"`, "u")
	require.EqualError(t, err, "the id takes 65536 bytes, at most 65535 fit")
	require.Equal(t, dst, ad)
}

func TestAnAdWithABaseIsWrittenAsDocumented(t *testing.T) {
	base, err := AppendAd(nil, "A", `https://v/"1.mp4`)
	require.NoError(t, err)
	like := Base{Ad: 0x01020304, Shared: uint16(TextSize(`https://v/"`))}
	require.EqualValues(t, 12, like.Shared)
	ad, err := AppendAdLike([]byte("before"), "B", like, `2"`)
	require.NoError(t, err)
	require.Equal(t, "before"+"\x02\x01\x00"+"\x04\x03\x02\x01\x0c\x00"+`B2\"`, string(ad))
	ad = ad[len("before"):]
	number, ok := BaseOf(ad)
	require.True(t, ok)
	require.Equal(t, like.Ad, number)
	require.NoError(t, CheckAd(ad, base))
	require.Equal(t, `{"id":"B","url":"https://v/\"2\"","videoUrl":"https://v/\"2\""}`, string(AppendBody(nil, ad, base)))

	ad, err = AppendAdLike(nil, "00ff", Base{}, "u")
	require.NoError(t, err)
	require.NoError(t, CheckAd(ad, base))
	require.Equal(t, `{"id":"00ff","url":"u","videoUrl":"u"}`, string(AppendBody(nil, ad, base)))
}

func TestCheckAdRefusesWhatIsNoAd(t *testing.T) {
	tests := map[string]struct{ ad, base, want string }{
		"nothing":                         {"", "", "an ad of 0 bytes"},
		"half a head":                     {"\x00\x00", "", "an ad of 2 bytes"},
		"an unknown kind":                 {"\x04\x00\x00", "", "an ad of unknown kind 4"},
		"no texts after a length":         {"\x00\x01\x00", "", "an id of 1 bytes in an ad of 3"},
		"an id that ends outside":         {"\x00\x03\x00id", "", "an id of 3 bytes in an ad of 5"},
		"an id that ends far outside":     {"\x01\xff\xffid", "", "an id of 65535 bytes in an ad of 5"},
		"a whole answer":                  {`{"id":"A"}`, "", "an ad of unknown kind 123"},
		"half a base":                     {"\x02\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00", "an ad of 8 bytes with a base"},
		"an id that ends in the base":     {"\x02\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00", "an id of 1 bytes in an ad of 9"},
		"a base that is not there":        {"\x02\x00\x00\x00\x00\x00\x00\x00\x00", "", "its base: an ad of 0 bytes"},
		"a base that is broken":           {"\x02\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x00", "its base: an id of 1 bytes in an ad of 3"},
		"a base that has one itself":      {"\x02\x00\x00\x00\x00\x00\x00\x00\x00", "\x02\x00\x00\x00\x00\x00\x00\x00\x00", "its base has a base"},
		"more than the base's url to say": {"\x02\x00\x00\x00\x00\x00\x00\x02\x00", "\x00\x02\x00idu", "it shares 2 bytes of a url of 1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { require.EqualError(t, CheckAd([]byte(tc.ad), []byte(tc.base)), tc.want) })
	}
}

func TestCheckerFindsTheBase(t *testing.T) {
	whole, err := AppendAd(nil, "A", "https://v/1")
	require.NoError(t, err)
	check := Checker(func(number uint32) []byte {
		if number == 7 {
			return whole
		}
		return nil
	})
	require.NoError(t, check(whole))
	for number, want := range map[uint32]string{7: "", 8: "its base: an ad of 0 bytes"} {
		ad, err := AppendAdLike(nil, "B", Base{Ad: number, Shared: 11}, "2")
		require.NoError(t, err)
		if err := check(ad); want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}

// Texts are read eight bytes at a time.
func TestEveryByteIsEscapedAtEveryPlace(t *testing.T) {
	for b := range 256 {
		var want string
		switch {
		case b == '"' || b == '\\':
			want = `\` + string(rune(b))
		case b < ' ':
			want = fmt.Sprintf(`\u%04x`, b)
		case b >= utf8.RuneSelf:
			want = "\ufffd"
		default:
			want = string(rune(b))
		}
		for before := range 18 {
			for after := range 10 {
				text := strings.Repeat("~", before) + string([]byte{byte(b)}) + strings.Repeat(" ", after)
				ad, err := AppendAd(nil, "", text)
				require.NoError(t, err)
				require.Equal(t, strings.Repeat("~", before)+want+strings.Repeat(" ", after), string(ad[headSize:]))
			}
		}
	}
}

func TestAppendBodyWritesTheAnswer(t *testing.T) {
	tests := map[string]struct{ id, url, want string }{
		"plain": {
			"A1", "https://v/1.mp4",
			`{"id":"A1","url":"https://v/1.mp4","videoUrl":"https://v/1.mp4"}`,
		},
		"quotes are escaped, HTML is not": {
			"J", `https://v/x?a=1&b="q"<é>`,
			`{"id":"J","url":"https://v/x?a=1&b=\"q\"<é>","videoUrl":"https://v/x?a=1&b=\"q\"<é>"}`,
		},
		"backslash and control characters": {
			"a\\b\x00\n\x1f\x7f", "",
			"{\"id\":\"a\\\\b\\u0000\\u000a\\u001f\x7f\",\"url\":\"\",\"videoUrl\":\"\"}",
		},
		"a line separator and an emoji stay": {
			"x", "\u2028🎮",
			"{\"id\":\"x\",\"url\":\"\u2028🎮\",\"videoUrl\":\"\u2028🎮\"}",
		},
		"two escapes and letters of two and four bytes between": {
			`\\é🎮"`, `""""""""" é`,
			`{"id":"\\\\é🎮\"","url":"\"\"\"\"\"\"\"\"\" é","videoUrl":"\"\"\"\"\"\"\"\"\" é"}`,
		},
		"what is not UTF-8 is replaced": {
			"x\xffy", "\xc3",
			`{"id":"x` + "\ufffd" + `y","url":"` + "\ufffd" + `","videoUrl":"` + "\ufffd" + `"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ad, err := AppendAd(nil, tc.id, tc.url)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(AppendBody(nil, ad, nil)))
			require.Equal(t, "before"+tc.want, string(AppendBody([]byte("before"), ad, nil)))
		})
	}
}

func TestAppendBodyAllocatesNothingWhereThereIsRoom(t *testing.T) {
	base, err := AppendAd(nil, "A1", "https://v/1.mp4")
	require.NoError(t, err)
	ad, err := AppendAdLike(nil, "0123456789abcdef", Base{Shared: 10}, "2.mp4")
	require.NoError(t, err)
	room := AppendBody(nil, ad, base)
	require.Zero(t, testing.AllocsPerRun(100, func() { room = AppendBody(room[:0], ad, base) }))
}

// FuzzCheckAd: what CheckAd accepts can be answered.
func FuzzCheckAd(f *testing.F) {
	whole := "\x00\x02\x00A1https://v"
	for _, ad := range []string{
		"", "\x00", "\x00\x00\x00", whole, "\x00\x03\x00A1", "\x01\xff\xff", "\x01\x02\x00\x0a\xffu",
		"\x02\x01\x00\x00\x00\x00\x00\x09\x00Bw", "\x03\x01\x00\x00\x00\x00\x00\x0a\x00Bw", "\x00\x00\x01" + strings.Repeat("i", 256),
	} {
		f.Add([]byte(ad), []byte(whole))
		f.Add([]byte(whole), []byte(ad))
	}
	f.Fuzz(func(t *testing.T, ad, base []byte) {
		if CheckAd(ad, base) != nil {
			return
		}
		body := string(AppendBody(nil, ad, base))
		p, err := split(ad)
		require.NoError(t, err)
		begin := ""
		if p.based {
			b, err := split(base)
			require.NoError(t, err)
			begin = string(b.url[:p.shared])
		}
		id := string(p.id)
		if p.hex {
			id = fmt.Sprintf("%x", p.id)
		}
		url := begin + string(p.url)
		require.Equal(t, `{"id":"`+id+`","url":"`+url+`","videoUrl":"`+url+`"}`, body)
	})
}

// FuzzAppendAd: an answer has the texts that an ad was made of, also where its url is parted.
func FuzzAppendAd(f *testing.F) {
	f.Add("A1", "https://v/", "1.mp4")
	f.Add("00ff", `https://v/`, `x?a=1&b="q"<é>`)
	f.Add("\x00\\\"", "\u2028\xff\U0001f3ae", "\xc3")
	f.Fuzz(func(t *testing.T, id, begin, rest string) {
		held, err := AppendAd(nil, id, begin+rest)
		if err != nil {
			require.Greater(t, len(id), 0xffff/6) // what is escaped takes six bytes
			return
		}
		require.NoError(t, CheckAd(held, nil))
		body := AppendBody(nil, held, nil)
		require.True(t, utf8.Valid(body))
		var ad map[string]string
		require.NoError(t, json.Unmarshal(body, &ad))
		if utf8.ValidString(id) && utf8.ValidString(begin+rest) {
			require.Equal(t, map[string]string{"id": id, "url": begin + rest, "videoUrl": begin + rest}, ad)
		}
		shared := TextSize(begin)
		if shared > 0xffff || !utf8.ValidString(begin) {
			return
		}
		base, err := AppendAd(nil, "base", begin+"/something else")
		require.NoError(t, err)
		like, err := AppendAdLike(nil, id, Base{Ad: 3, Shared: uint16(shared)}, rest)
		require.NoError(t, err)
		require.NoError(t, CheckAd(like, base))
		require.Equal(t, string(body), string(AppendBody(nil, like, base)))
	})
}
