package campaign_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

// requireSameInParts requires that parts of any size give the same document.
func requireSameInParts(t *testing.T, data []byte, want *campaign.Document, wantErr error) {
	t.Helper()
	for _, size := range []int{1, 2, 17, 100, 1000} {
		got, err := campaign.DecodeInParts(data, size)
		require.Equal(t, wantErr, err)
		require.Equal(t, want, got, "parts of %d bytes", size)
	}
}

// TestPartsDoNotShow decodes documents in which much looks like the beginning of an ad that is none.
func TestPartsDoNotShow(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	elements := []func() string{
		func() string { return ad("id", fmt.Sprintf(`"%d"`, random.IntN(40))) },
		func() string { return ad("id", fmt.Sprintf(`"%d"`, random.IntN(1000)), "x", `"},{"`) },
		func() string {
			return ad("id", fmt.Sprintf(`"%d"`, random.IntN(1000)), "x", `[`+ad()+`, `+ad("id", `"y"`)+`]`)
		},
		func() string { return ad("id", `"},{\"id\":\"z\"},{"`) },
		func() string { return ad("x", `"\"},{\"ads\":[{"`) },
		func() string { return ad("country", `"usa"`) },
		func() string { return "[{},{},{\n}]" },
		func() string { return "7" },
		func() string { return "{\n\n}" },
		func() string { return ad("x", "["+strings.Repeat("{},", 200)+"{}]") },
	}
	for range 30 {
		var ads []string
		for range random.IntN(120) {
			ads = append(ads, elements[random.IntN(len(elements))]())
		}
		text := `{"a":[{},{},{}],"ads":[` + strings.Join(ads, " ,\n ") + `],"b":[` + ad() + `,` + ad("id", `"b"`) + `]}`
		doc, err := campaign.Decode([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(ads), len(doc.Campaigns)+doc.Rejected)
		requireSameInParts(t, []byte(text), doc, nil)

		for range 5 {
			broken := []byte(text)
			broken[random.IntN(len(broken))] = `{}[],:"\ x`[random.IntN(10)]
			doc, err := campaign.Decode(broken)
			requireSameInParts(t, broken, doc, err)
		}
	}
}

func TestRejectsOfManyPartsAreThoseOfOne(t *testing.T) {
	t.Parallel()
	var ads []string
	for n := range 4 * campaign.MaxRejects {
		switch n % 3 {
		case 0:
			ads = append(ads, ad("id", `"same"`))
		case 1:
			ads = append(ads, ad("id", fmt.Sprintf(`"%d"`, n)))
		default:
			ads = append(ads, ad("start_hour", "24"))
		}
	}
	text := []byte(`{"ads":[` + strings.Join(ads, ",\n") + `]}`)
	doc, err := campaign.Decode(text)
	require.NoError(t, err)
	require.Len(t, doc.Rejects, campaign.MaxRejects)
	for n, r := range doc.Rejects { // 2, 3, 5, 6, 8, 9, …: ad 0 is the first with its id
		require.Equal(t, n/2*3+2+n%2, r.Index)
		require.Equal(t, r.Index+1, r.Line)
	}
	require.Equal(t, map[string]int{"duplicate": 1333, "out_of_range": 1333}, doc.Reasons)
	requireSameInParts(t, text, doc, nil)
}
