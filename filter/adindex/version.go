//go:build !wasip1

package adindex

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Version returns the version of the index in data: the first 16 bytes of the SHA-256 of its content, as 32 lower-case hex
// digits. The content is everything but the checksum and the source time, so that replicas which saw one document at different
// seconds agree. It does not check data; what is shorter than an index's header has the version "".
func Version(data []byte) string {
	if len(data) < headerSize {
		return ""
	}
	h := sha256.New()
	hashHeader(h, data[:headerSize])
	h.Write(data[headerSize:])
	return versionOf(h)
}

func hashHeader(h hash.Hash, header []byte) {
	h.Write(header[:offChecksum])
	h.Write(header[offTable:])
}

func versionOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:16]) }
