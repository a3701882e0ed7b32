//go:build wasip1

package abi

// The host hands over bytes by asking the module for memory in the middle of a call (proxy_on_memory_allocate), and says where it
// wrote them through two pointers. Whatever those point at must not move: so it is global, and not on a stack.
var (
	given    []byte // what the host was given last
	address  uint32 // where it says that it wrote; nothing reads it
	received uint32 // how many bytes

	// arena holds what the host hands over during the callback of a request, in the order of the calls. Only what does not fit is
	// garbage afterwards.
	arena [4096]byte
	room  []byte // what is left of the arena; none outside such a callback
)

//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) *byte {
	if size == 0 {
		return nil
	}
	if uint64(size) <= uint64(len(room)) {
		given, room = room[:size:size], room[size:]
	} else {
		given = make([]byte, size)
	}
	return &given[0]
}

// take returns what the host has handed over in the call that ended with this status. The host asks for no memory where there is nothing.
func take(status Status) ([]byte, error) {
	data := given
	given = nil
	if status != 0 {
		return nil, status
	}
	if uint64(received) > uint64(len(data)) {
		return nil, InternalFailure
	}
	return data[:received:received], nil
}
