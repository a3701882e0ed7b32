//go:build !linux

package stack

import "syscall"

// childAttributes puts a child into a group of its own, away from the terminal's Ctrl-C.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// guard has the process group killed when this program dies. Here the kernel offers nothing for it.
func guard(pid int) (func(), error) { return watchdog(pid) }
