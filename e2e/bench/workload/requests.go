package workload

import "math/rand/v2"

// missShare is how many requests there are for one that asks for a key without ads.
const missShare = 10

// Request is what a request asks for.
type Request struct {
	Key Key
	// Miss says that no document has ads for the key.
	Miss bool
}

// Requests draws n requests. Nine of ten ask for one of the first keys of [AllKeys] by Zipf's law with exponent 1.1, so that those with the
// most ads are asked for most; the others ask for keys that no document has, one as often as the other.
func Requests(seed uint64, keys, n int) []Request {
	all := AllKeys(seed)[:keys]
	random := rand.New(rand.NewPCG(seed, 2))
	rank := rand.NewZipf(random, zipfExponent, 1, uint64(keys-1))
	requests := make([]Request, n)
	for i := range requests {
		if random.IntN(missShare) > 0 {
			requests[i].Key = all[rank.Uint64()]
			continue
		}
		language := random.IntN(langCount)
		requests[i] = Request{
			Key:  Key{Country: string([]byte{'v', 'a' + byte(random.IntN(26))}), Lang: languages[4*language:][:3]}, // beyond the last country
			Miss: true,
		}
	}
	return requests
}
