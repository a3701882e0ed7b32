//go:build !linux

package stack

// portHolder knows nothing here: the error names the command that tells.
func portHolder(int) (name string, pid int, ok bool) { return "", 0, false }
