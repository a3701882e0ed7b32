//go:build !wasip1

package adindex

// blockSize is far above what is added at once, and little beside an index that is worth the trouble.
const blockSize = 1 << 20

// blocks gathers bytes that stay where they are put. A slice that grows would copy an index of hundreds of megabytes several times
// over, and hold two of it while it does.
type blocks struct {
	list [][]byte
	open bool // the last has room and was made here
}

// copy adds a copy of p and returns it.
func (b *blocks) copy(p []byte) []byte {
	n := len(b.list) - 1
	if !b.open || cap(b.list[n])-len(b.list[n]) < len(p) {
		// A small index takes a small block.
		size := 1 << 10
		if n >= 0 {
			size = min(2*cap(b.list[n]), blockSize)
		}
		b.list = append(b.list, make([]byte, 0, max(size, len(p))))
		b.open = true
		n++
	}
	begin := len(b.list[n])
	b.list[n] = append(b.list[n], p...)
	return b.list[n][begin:]
}

// take adds p itself.
func (b *blocks) take(p []byte) {
	b.list = append(b.list, p)
	b.open = false
}
