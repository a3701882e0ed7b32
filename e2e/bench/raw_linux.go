package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// cpuSet is some cores.
type cpuSet = unix.CPUSet

func oneCPU(n int) cpuSet {
	var set cpuSet
	set.Set(n)
	return set
}

// allowedCPUs are those that the calling thread may use, and their set.
func allowedCPUs() ([]int, cpuSet, error) {
	var set cpuSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, set, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var all []int
	for i := range 8 * len(set) * 8 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all, set, nil
}

// pin keeps all threads of a process on these cores. Threads that they start stay there, too.
func pin(pid int, cpus cpuSet) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &cpus); err != nil && !errors.Is(err, unix.ESRCH) { // it has ended meanwhile
			return fmt.Errorf("sched_setaffinity: %w", err)
		}
	}
	return nil
}

// pollEvents waits for so many milliseconds; -1: for ever.
func pollEvents(epoll int, events []unix.EpollEvent, wait int) (int, error) {
	n, err := unix.EpollWait(epoll, events, wait)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}
