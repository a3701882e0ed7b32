package record

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
)

// ids is how many user IDs there are.
const ids = 100_000_000

// NewID returns a random user ID. All are equally likely: an ID tells nothing about others, nor about their number.
func NewID() string { return fmt.Sprintf("%08d", random(ids)) }

func validateUserID(id string) error {
	valid := len(id) == 8
	for i := 0; valid && i < len(id); i++ {
		valid = id[i] >= '0' && id[i] <= '9'
	}
	if !valid {
		// The text is row U23's.
		return &InvalidError{Field: "userId", Message: "This is not a valid userId, it must contain only 8 numeric characters!"}
	}
	return nil
}

// random returns a uniform random number below n.
func random(n uint64) uint64 {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails: the program would end
		if v, ok := below(n, binary.BigEndian.Uint64(b[:])); ok {
			return v
		}
	}
}

// below folds v into the numbers below n. It refuses the last values of v, which would make the first numbers likelier than the others.
func below(n, v uint64) (uint64, bool) {
	return v % n, v < math.MaxUint64-math.MaxUint64%n
}
