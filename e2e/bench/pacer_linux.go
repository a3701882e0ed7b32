package main

import (
	"runtime"
	"syscall"
	"time"
)

// prSetTimerSlack is PR_SET_TIMERSLACK of prctl(2).
const prSetTimerSlack = 29

// pacer returns a function that sleeps for a short time, exactly: Go's timers would wait in whole milliseconds when nothing else is to be
// done. It keeps its thread until done is called by the goroutine that called pacer.
func pacer() (wait func(time.Duration), done func()) {
	runtime.LockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0) // else sleeps are 50 µs longer
	return func(d time.Duration) {
		ts := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&ts, nil) // a signal ends it early: the request is sent early then
	}, runtime.UnlockOSThread
}
