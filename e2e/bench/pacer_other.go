//go:build !linux

package main

import "time"

// pacer returns a function that sleeps as well as Go can.
func pacer() (wait func(time.Duration), done func()) { return time.Sleep, func() {} }
