//go:build testhooks

package plugin

import (
	"errors"
	"runtime"
	"strconv"

	"adsidecar/filter/adindex"
)

// The test build obeys two request headers, and refuses an index that has the key zz/zzz.
const (
	unixHeader  = "x-test-unix"  // the clock of this request, Unix seconds
	panicHeader = "x-test-panic" // "go": a panic that the filter recovers from; "trap": the end of the VM
)

// hookIndex lets a test push an index that is valid, but not for this build.
func hookIndex(index *adindex.Reader) error {
	refused, _ := adindex.MakeKey("zz", "zzz")
	for n := range index.Cursors() {
		if index.CursorKey(uint32(n)) == refused {
			return errors.New("test hook: index refused")
		}
	}
	return nil
}

// hookRequest returns the clock of the request.
func hookRequest(host Host, unixSeconds int64) int64 {
	switch kind, _ := host.RequestHeader(panicHeader); string(kind) {
	case "go":
		panic("test hook") //nolint:forbidigo // what the test asks for
	case "trap":
		// Nothing recovers in this goroutine. Envoy lets a module go on after os.Exit.
		go panic("test hook") //nolint:forbidigo // what the test asks for
		runtime.Gosched()
	}
	value, err := host.RequestHeader(unixHeader)
	if err != nil {
		return unixSeconds
	}
	forced, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		panic(err) //nolint:forbidigo // a test that gets its clock wrong sees a 500
	}
	return forced
}
