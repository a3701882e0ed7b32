package campaign

import (
	"bytes"
	"hash/maphash"
	"math"
)

// partBytes is how much of a document one goroutine reads at a time: enough to forget what the start costs, and little enough
// that the last parts do not keep one waiting for another.
const partBytes = 512 << 10

// part is a run of elements of the "ads" array, as one goroutine has read it. Its ads count from its own first element.
type part struct {
	elements int
	kept     []kept
	origins  []origin // of the ad at the same place

	rejects []place        // the first MaxRejects
	reasons map[string]int // of all rejects

	// end is the place of the element behind the part's last, or behind the whole array if that ends in it; malformed as in a scan.
	end    int
	closed bool // the array ends in it
}

// origin is what is kept of a campaign until duplicates have been found.
type origin struct {
	hash uint64 // of the id
	at   int    // where the ad begins in the document
}

// place is where a rejected ad stands.
type place struct{ index, at int }

// readAds reads the array that begins at open, in parts and on all processors, and returns them in order with the array's end as a
// scan does.
//
// Where an element begins cannot be known without all that is before it, for what looks like one may be inside of a string. So a
// part begins where it looks like it, and is read again if the part before it does not end there: by induction, each part that is
// used began at an element. A guess sees little more than its part, for what begins at a wrong one may reach to the end of the
// document, and many such would take time without bound; a part that seems malformed is read again with all in sight.
func readAds(data []byte, open, partBytes int) ([]part, int) {
	first := skipSpace(data, open+1)
	if byteAt(data, first) == ']' {
		return nil, first + 1
	}
	begins := guessElements(data, first, partBytes)
	limit := func(n int) int {
		if n+1 < len(begins) {
			return begins[n+1]
		}
		return math.MaxInt
	}
	seed := maphash.MakeSeed()
	parts := make([]part, len(begins))
	parallel(len(parts), func() func(int) {
		r := reader{seed: seed, ad: newAd(true)}
		return func(n int) {
			inSight := min(min(limit(n), len(data))+partBytes, len(data))
			parts[n] = r.read(data[:inSight], begins[n], limit(n))
		}
	})

	at := first
	used := parts[:0]
	for n, p := range parts {
		if at >= limit(n) {
			continue // an element reaches over all of this part
		}
		if at != begins[n] || p.end == malformed {
			r := reader{seed: seed, ad: newAd(true)}
			p = r.read(data, at, limit(n))
		}
		used = append(used, p)
		if at = p.end; p.closed || at == malformed {
			break
		}
	}
	clear(parts[len(used):])
	return used, at
}

// guessElements returns first and, about partBytes apart, places behind it that look like the beginning of an element: an object
// after a comma after an object.
func guessElements(data []byte, first, partBytes int) []int {
	begins := []int{first}
	for from := first + partBytes; from < len(data); {
		brace := bytes.IndexByte(data[from:], '}')
		if brace < 0 {
			break
		}
		from += brace + 1
		comma := skipSpace(data, from)
		object := skipSpace(data, comma+1)
		if byteAt(data, comma) == ',' && byteAt(data, object) == '{' {
			begins = append(begins, object)
			from = object + partBytes
		}
	}
	return begins
}

// reader reads parts, one after the other. One goroutine has it.
type reader struct {
	seed maphash.Seed
	ad   *ad

	room int // what a part may have valid ads: a quarter more than the last one had
}

// read reads the elements of data that begin at begin or behind it and before limit.
func (r *reader) read(data []byte, begin, limit int) part {
	p := part{reasons: make(map[string]int), kept: make([]kept, 0, r.room), origins: make([]origin, 0, r.room)}
	defer func() { r.room = len(p.kept) * 5 / 4 }()
	for at := begin; at < limit; {
		end := r.ad.scan(data, at)
		if end == malformed {
			p.end = malformed
			return p
		}
		r.add(&p, at)
		switch end = skipSpace(data, end); byteAt(data, end) {
		case ',':
			at = skipSpace(data, end+1)
			p.end = at
		case ']':
			p.end, p.closed = end+1, true
			return p
		default:
			p.end = malformed
			return p
		}
	}
	return p
}

// add adds the ad that has been scanned, and that begins at at.
func (r *reader) add(p *part, at int) {
	index := p.elements
	p.elements++
	if r.ad.failed > 0 {
		p.reasons[r.ad.reject().Reason]++
		if len(p.rejects) < MaxRejects {
			p.rejects = append(p.rejects, place{index: index, at: at})
		}
		return
	}
	p.kept = append(p.kept, r.ad.keep(index))
	p.origins = append(p.origins, origin{hash: maphash.Bytes(r.seed, r.ad.id), at: at})
}
