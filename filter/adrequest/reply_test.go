package adrequest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Clients and the proxy's own error pages depend on these bytes.
func TestRepliesAreWrittenAsDocumented(t *testing.T) {
	jsonType := [2]string{"content-type", "application/json"}
	tests := map[string]struct {
		reply   *Reply
		status  uint32
		body    string
		headers [][2]string
	}{
		"no ad": {
			&NoAd, 404,
			`{"message":"There is no ad for this country and language right now. Show none and play on.","code":"no_ad_available"}`,
			[][2]string{jsonType},
		},
		"no index": {
			&Unavailable, 503,
			`{"message":"The ads are not loaded yet. Try again in a few seconds.","code":"campaigns_unavailable"}`,
			[][2]string{jsonType, {"retry-after", "5"}},
		},
		"a failure of ours": {
			&Internal, 500,
			`{"message":"Something went wrong on our side. Show no ad and play on.","code":"internal"}`,
			[][2]string{jsonType},
		},
		"method": {
			&methodNotAllowed, 405,
			`{"message":"This endpoint answers GET and HEAD only.","code":"method_not_allowed"}`,
			[][2]string{jsonType, {"allow", "GET, HEAD"}},
		},
		"size": {
			&uriTooLong, 414,
			`{"message":"The query is longer than 1024 bytes. country and lang are all it needs.","code":"uri_too_long"}`,
			[][2]string{jsonType},
		},
		"missing country": {
			&countryReplies.missing, 400,
			`{"message":"The parameter country is missing or empty: send exactly 2 letters, as in country=us.","code":"missing_parameter","param":"country"}`,
			[][2]string{jsonType},
		},
		"duplicate country": {
			&countryReplies.duplicate, 400,
			`{"message":"The parameter country is given more than once with different values.","code":"duplicate_parameter","param":"country"}`,
			[][2]string{jsonType},
		},
		"invalid language": {
			&langReplies.invalid, 400,
			`{"message":"The parameter lang must be 2 or 3 letters, as in lang=en or lang=eng.","code":"invalid_parameter","param":"lang"}`,
			[][2]string{jsonType},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.status, tc.reply.Status)
			require.Equal(t, tc.body, string(tc.reply.Body))
			require.Equal(t, tc.headers, tc.reply.Headers)
		})
	}
	require.Equal(t, [][2]string{jsonType}, AdHeaders)
}

func TestAnAdIsWrittenAsDocumented(t *testing.T) {
	tests := map[string]struct{ id, url, want string }{
		"plain":                     {"A1", "https://v/1.mp4", "\x02\x00A1https://v/1.mp4"},
		"escaped":                   {`"`, `\`, "\x02\x00" + `\"\\`},
		"nothing":                   {"", "", "\x00\x00"},
		"no id":                     {"", "u", "\x00\x00u"},
		"no url":                    {"ad", "", "\x02\x00ad"},
		"more than 255 bytes of id": {strings.Repeat("i", 0x0203), "u", "\x03\x02" + strings.Repeat("i", 0x0203) + "u"},
		"the longest id":            {strings.Repeat("i", 0xffff), "u", "\xff\xff" + strings.Repeat("i", 0xffff) + "u"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ad, err := AppendAd([]byte("before"), tc.id, tc.url)
			require.NoError(t, err)
			require.Equal(t, "before"+tc.want, string(ad))
			require.NoError(t, CheckAd(ad[len("before"):]))
		})
	}
	dst := []byte("before")
	ad, err := AppendAd(dst, strings.Repeat("i", 0xffff-1)+`"`, "u")
	require.EqualError(t, err, "the id takes 65536 bytes, at most 65535 fit")
	require.Equal(t, dst, ad)
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
				require.Equal(t, strings.Repeat("~", before)+want+strings.Repeat(" ", after), string(ad[2:]))
			}
		}
	}
}

func TestCheckAdRefusesWhatIsNoAd(t *testing.T) {
	tests := map[string]struct{ ad, want string }{
		"nothing":                     {"", "an ad without the length of its id"},
		"half a length":               {"\x00", "an ad without the length of its id"},
		"no texts after a length":     {"\x01\x00", "an id of 1 bytes in an ad of 2"},
		"an id that ends outside":     {"\x03\x00id", "an id of 3 bytes in an ad of 4"},
		"an id that ends far outside": {"\xff\xffid", "an id of 65535 bytes in an ad of 4"},
		"a whole answer":              {`{"id":"A"}`, "an id of 8827 bytes in an ad of 10"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { require.EqualError(t, CheckAd([]byte(tc.ad)), tc.want) })
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
			require.Equal(t, tc.want, string(AppendBody(nil, ad)))
			require.Equal(t, "before"+tc.want, string(AppendBody([]byte("before"), ad)))
		})
	}
}

func TestAppendBodyAllocatesNothingWhereThereIsRoom(t *testing.T) {
	ad, err := AppendAd(nil, "A1", "https://v/1.mp4")
	require.NoError(t, err)
	room := AppendBody(nil, ad)
	require.Zero(t, testing.AllocsPerRun(100, func() { room = AppendBody(room[:0], ad) }))
}

// FuzzCheckAd: what CheckAd accepts can be answered.
func FuzzCheckAd(f *testing.F) {
	for _, ad := range []string{"", "\x00", "\x00\x00", "\x02\x00A1https://v", "\x03\x00A1", "\xff\xff", "\x00\x01" + strings.Repeat("i", 256)} {
		f.Add([]byte(ad))
	}
	f.Fuzz(func(t *testing.T, ad []byte) {
		if CheckAd(ad) != nil {
			return
		}
		body := string(AppendBody(nil, ad))
		id, urls, ok := strings.Cut(strings.TrimPrefix(body, `{"id":"`), `","url":"`)
		require.True(t, ok)
		texts := string(ad[2:])
		require.True(t, strings.HasPrefix(texts, id))
		// The fuzzer's texts may hold the separator themselves, so only the size tells.
		require.Len(t, body, len(`{"id":"","url":"","videoUrl":""}`)+len(texts)+len(texts)-(int(ad[0])|int(ad[1])<<8))
		require.True(t, strings.HasSuffix(urls, `"}`))
	})
}

func FuzzAppendAd(f *testing.F) {
	f.Add("A1", "https://v/1.mp4")
	f.Add("J", `https://v/x?a=1&b="q"<é>`)
	f.Add("\x00\\\"", "\u2028\xff\U0001f3ae")
	f.Fuzz(func(t *testing.T, id, url string) {
		held, err := AppendAd(nil, id, url)
		if err != nil {
			require.Greater(t, len(id), 0xffff/6) // what is escaped takes six bytes
			return
		}
		require.NoError(t, CheckAd(held))
		body := AppendBody(nil, held)
		require.True(t, utf8.Valid(body))
		var ad map[string]string
		require.NoError(t, json.Unmarshal(body, &ad))
		if utf8.ValidString(id) && utf8.ValidString(url) {
			require.Equal(t, map[string]string{"id": id, "url": url, "videoUrl": url}, ad)
		}
	})
}
