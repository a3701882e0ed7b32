package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

const (
	// KeyLifetime is for how long a create can be repeated with its idempotency key.
	KeyLifetime = 24 * time.Hour
	// MaxKey is the length of the longest idempotency key, in characters.
	MaxKey = 255
)

// KeyName is the name under which the idempotency key of a subject is stored. Keys of two subjects never meet, and a store's key of
// fixed length holds any.
func KeyName(subject, key string) string { return digest(subject, key) }

// newKey is the key to store with the record r at now, nil for a client that sent none.
func newKey(r Record, key string, now time.Time) *Key {
	if key == "" {
		return nil
	}
	var request []string
	for _, v := range r.values() {
		request = append(request, *v)
	}
	return &Key{
		Name:    KeyName(r.Owner, key),
		Request: digest(request...),
		UserID:  r.UserID,
		// Up to a whole second, which every store can keep.
		Expires: now.Add(KeyLifetime + time.Second - 1).Truncate(time.Second).UTC(),
	}
}

func validateKey(key string) error {
	valid := len(key) <= MaxKey
	for i := 0; valid && i < len(key); i++ {
		valid = key[i] > ' ' && key[i] <= '~'
	}
	if !valid {
		return &InvalidError{
			Field:   "Idempotency-Key",
			Message: fmt.Sprintf("Idempotency-Key must have 1 to %d visible ASCII characters", MaxKey),
		}
	}
	return nil
}

// digest is a SHA-256 in hex over the parts, each after its length: no two lists of parts have the same input.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p)))) // a hash never fails
		_, _ = io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
