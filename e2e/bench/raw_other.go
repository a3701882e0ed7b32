//go:build !linux

package main

import (
	"context"
	"errors"
	"time"
)

var errNotLinux = errors.New("latency is measured on Linux only: it needs a core for the load and one for what it measures")

type cpuSet struct{}

func oneCPU(int) cpuSet { return cpuSet{} }

func allowedCPUs() ([]int, cpuSet, error) { return nil, cpuSet{}, errNotLinux }

func pin(int, cpuSet) error { return errNotLinux }

func openLoop(string, []string, []path, float64, time.Duration) ([]time.Duration, error) {
	return nil, errNotLinux
}

func runInstrument(context.Context, []string) error { return errNotLinux }
