package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of /proc: USER_HZ is 100 on all of Linux's architectures that Go has.
const tick = 10 * time.Millisecond

// cpuTimes is the time that each process has used, by its name. Those that are gone are left out.
func cpuTimes(processes map[string]int) map[string]time.Duration {
	times := map[string]time.Duration{}
	for name, pid := range processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if t, ok := cpuTime(stat); ok {
			times[name] = t
		}
	}
	return times
}

// cpuTime reads a line of /proc/PID/stat (proc_pid_stat(5)): utime and stime are its 14th and 15th field. The second is the program's name
// in parentheses, with whatever is in it.
func cpuTime(stat []byte) (time.Duration, bool) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, false
	}
	fields := bytes.Fields(stat[end+1:]) // the first is the 3rd
	if len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(user+system) * tick, true
}
