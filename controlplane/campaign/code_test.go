package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/e2e/refmodel"
)

// every yields every code of n lower-case letters.
func every(n int, yield func(string)) {
	if n == 0 {
		yield("")
		return
	}
	every(n-1, func(prefix string) {
		for c := 'a'; c <= 'z'; c++ {
			yield(prefix + string(c))
		}
	})
}

func TestEveryLanguageCodeFollowsTheStandard(t *testing.T) {
	t.Parallel()
	canonical := make(map[string]string)
	aliases := make(map[string][]string)
	alpha2, bibliographic := 0, 0
	for _, l := range refmodel.Languages() {
		for _, code := range []string{l.Alpha2, l.Terminology, l.Bibliographic} {
			if code != "" {
				canonical[code] = l.Terminology
				aliases[l.Terminology] = append(aliases[l.Terminology], code)
			}
		}
		if l.Alpha2 != "" {
			alpha2++
		}
		if l.Bibliographic != "" {
			bibliographic++
		}
	}
	require.Len(t, aliases, 486)
	require.Equal(t, 184, alpha2)
	require.Equal(t, 20, bibliographic)

	compared := 0
	check := func(code string) {
		compared++
		want, known := canonical[code]
		if !known {
			want = code
		}
		if got := campaign.CanonicalLang(code); got != want {
			require.Equal(t, want, got, "canonical code of %q", code)
		}
		if want != code {
			return
		}
		wantAliases, known := aliases[code]
		if !known {
			wantAliases = []string{code}
		}
		require.Equal(t, wantAliases, campaign.LangAliases(code), "aliases of %q", code)
	}
	every(2, check)
	every(3, check)
	require.Equal(t, 26*26+26*26*26, compared)
}

func TestNamedLanguageCodes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code, want string
	}{
		"639-1":                                   {"fr", "fra"},
		"639-2/B":                                 {"fre", "fra"},
		"639-2/T":                                 {"fra", "fra"},
		"he is Hebrew":                            {"he", "heb"},
		"the withdrawn iw is not Hebrew":          {"iw", "iw"},
		"the withdrawn in is not Indonesian":      {"in", "in"},
		"the withdrawn ji is not Yiddish":         {"ji", "ji"},
		"the withdrawn jw is not Javanese":        {"jw", "jw"},
		"the withdrawn mo is not Romanian":        {"mo", "mo"},
		"the withdrawn mol is not Romanian":       {"mol", "mol"},
		"the withdrawn sh is not Serbian":         {"sh", "sh"},
		"Norwegian is not Bokmål":                 {"no", "nor"},
		"Bokmål is not Norwegian":                 {"nb", "nob"},
		"Tagalog is not Filipino":                 {"tl", "tgl"},
		"Filipino has no 639-1 code":              {"fil", "fil"},
		"Mandarin is not the macrolanguage zh":    {"cmn", "cmn"},
		"an unknown code is itself":               {"zz", "zz"},
		"an unknown code of three letters, too":   {"zzz", "zzz"},
		"a language without 639-1 code is itself": {"gsw", "gsw"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, campaign.CanonicalLang(tc.code))
		})
	}
}

func TestParseCodes(t *testing.T) {
	t.Parallel()
	const bad = "refused"
	country := map[string]string{
		"us": "us", "US": "us", "uS": "us", "uk": "gb", "UK": "gb", "Uk": "gb", "GB": "gb", "zz": "zz",
		"": bad, "u": bad, "usa": bad, "u5": bad, "u ": bad, "*": bad, "**": bad, "é": bad, "ｕｓ": bad, "İs": bad,
		"@A": bad, "[a": bad, "`a": bad, "{a": bad, "a\x00": bad,
	}
	for in, want := range country {
		got, err := campaign.ParseCountry(in)
		if want == bad {
			require.EqualError(t, err, "must be 2 ASCII letters", "%q", in)
			continue
		}
		require.NoError(t, err, "%q", in)
		require.Equal(t, want, got, "%q", in)
	}
	lang := map[string]string{
		"fr": "fra", "FR": "fra", "fRe": "fra", "FRA": "fra", "eng": "eng", "en": "eng", "zzz": "zzz", "zz": "zz",
		"": bad, "e": bad, "engl": bad, "e1": bad, "en-": bad, "*": bad, "***": bad, "ça": bad, "ñ": bad, "\xff\xff": bad,
	}
	for in, want := range lang {
		got, err := campaign.ParseLang(in)
		if want == bad {
			require.EqualError(t, err, "must be 2 or 3 ASCII letters", "%q", in)
			continue
		}
		require.NoError(t, err, "%q", in)
		require.Equal(t, want, got, "%q", in)
	}
}
