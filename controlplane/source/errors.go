package source

import "fmt"

// TooLargeError says that a document is larger than the source may read.
type TooLargeError struct {
	Limit int64 // bytes
}

// Error returns "larger than 67108864 bytes".
func (e *TooLargeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.Limit) }

// TooLarge reports true: it lets a caller that does not import this package tell this error from others.
func (e *TooLargeError) TooLarge() bool { return true }
