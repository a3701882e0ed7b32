package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

const (
	// HotAds is how many ads a hot key has, and the most that any key has.
	HotAds = 10_000

	countryCount = 250
	langCount    = 80
	// Keys is how many pairs of country and language a document has ads for.
	Keys = countryCount * langCount

	zipfExponent = 1.1
)

// languages have the canonical codes that compile resolves to: 60 of them are asked for by a code of two letters as well.
const languages = "eng spa fra deu por ita rus zho jpn kor ara hin ben urd tur vie tha pol ukr nld " +
	"ron ell hun ces swe dan nor fin heb ind msa tam tel mar guj kan mal pan fas swa " +
	"bul hrv srp slk slv lit lav est isl gle cym eus cat glg mkd sqi hye kat aze kaz " +
	"gsw fil haw yue nds ast scn lij fur szl hsb dsb csb kab rif zgh arz ary apc acm"

// Key is a country and a language in canonical form: what the ads of a document are for, and what its requests ask.
type Key struct{ Country, Lang string }

// Config says which document is made. The zero value has one ad for each key.
type Config struct {
	Ads      int    // at least Keys + Hot·(HotAds−1), which are the ads that the rules of the package ask for
	Hot      int    // keys with HotAds ads each
	Seed     uint64 // of everything that is drawn
	Revision uint32 // the last eight digits of every id
	// Always makes the first ad of each key run all day, so that no key is ever without one.
	Always bool
}

// Standard returns the configuration behind the published figures: 2 hot keys with 100,000 ads, 20 with 1,000,000.
func Standard(ads int) Config { return Config{Ads: ads, Hot: ads / 50_000, Seed: 1} }

// AllKeys returns the keys of every document, the one with the most ads first. Which those are depends on the seed.
func AllKeys(seed uint64) []Key {
	keys := make([]Key, 0, Keys)
	for c := range countryCount {
		for l := range langCount {
			country := string([]byte{'a' + byte(c/26), 'a' + byte(c%26)}) // aa to jp: UK, which is GB, is not among them
			keys = append(keys, Key{Country: country, Lang: languages[4*l:][:3]})
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// Document returns the JSON of a document with c.Ads ads, or more if the rules of the package ask for more.
func Document(c Config) []byte {
	keys := AllKeys(c.Seed)
	random := rand.New(rand.NewPCG(c.Seed, 1))
	ads := spread(c, random)
	data := make([]byte, 0, 180*len(ads)+16)
	data = append(data, `{"ads":[`...)
	var seen [Keys]bool
	for i, rank := range ads {
		if i > 0 {
			data = append(data, ',')
		}
		data = appendAd(append(data, '\n'), random, keys[rank], c.Revision, c.Always && !seen[rank])
		seen[rank] = true
	}
	return append(data, "\n]}\n"...)
}

// spread returns the key of each ad, as its place in AllKeys, in the order of the document.
func spread(c Config, random *rand.Rand) []uint16 {
	ads := make([]uint16, 0, max(c.Ads, Keys+c.Hot*(HotAds-1)))
	var have [Keys]int
	add := func(rank, n int) {
		for range n {
			ads = append(ads, uint16(rank))
		}
		have[rank] += n
	}
	for rank := range Keys {
		add(rank, 1)
	}
	for rank := range c.Hot {
		add(rank, HotAds-1)
	}
	below := zipfWeights()
	for len(ads) < c.Ads {
		// The first rank that the drawn weight lies below.
		rank, exact := slices.BinarySearch(below, random.Uint64N(below[Keys-1]))
		if exact {
			rank++
		}
		if have[rank] < HotAds {
			add(rank, 1)
		}
	}
	random.Shuffle(len(ads), func(i, j int) { ads[i], ads[j] = ads[j], ads[i] })
	return ads
}

// zipfWeights returns the summed weights of the ranks up to each rank. They are whole numbers, which do not depend on how a
// machine rounds the sums.
func zipfWeights() []uint64 {
	below := make([]uint64, Keys)
	sum := uint64(0)
	for rank := range below {
		sum += uint64(1e9 * math.Pow(float64(rank+1), -zipfExponent))
		below[rank] = sum
	}
	return below
}

func appendAd(dst []byte, random *rand.Rand, key Key, revision uint32, allDay bool) []byte {
	start, end := random.IntN(24), random.IntN(25)
	if random.IntN(5) == 0 || allDay {
		start, end = 0, 24
	}
	// 24 digits are unique in any document that fits into memory.
	id := fmt.Appendf(nil, "%016x%08x", random.Uint64(), random.Uint32())
	dst = append(dst, `{"id":"`...)
	dst = append(dst, id...)
	dst = fmt.Appendf(dst, `%08x","video_url":"https://v-%02d.cdn.example.com/ads/`, revision, random.IntN(100))
	dst = append(dst, id[:23]...)
	dst = append(dst, `.mp4","country":"`...)
	dst = append(dst, key.Country...)
	dst = append(dst, `","lang":"`...)
	dst = append(dst, key.Lang...)
	dst = append(dst, `","start_hour":`...)
	dst = strconv.AppendInt(dst, int64(start), 10)
	dst = append(dst, `,"end_hour":`...)
	dst = strconv.AppendInt(dst, int64(end), 10)
	return append(dst, '}')
}

var _ [math.MaxUint16 - Keys]struct{} // an ad's key is kept in 16 bits
