package fleet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Files is an error if this process may not have as many files open as are needed. Go has raised its soft limit to the hard one by then.
func Files(needed uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < needed {
		return fmt.Errorf("%d files may be open, and %d are needed: raise the limit (ulimit -Hn)", limit.Cur, needed)
	}
	return nil
}

// PeakMemory is the most memory that a process had resident since it started or since ResetPeakMemory, in bytes; false where the
// system does not tell.
func PeakMemory(pid int) (int64, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	return peak(string(status))
}

// peak reads VmHWM of /proc/PID/status (proc_pid_status(5)).
func peak(status string) (int64, bool) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// ResetPeakMemory lets PeakMemory begin anew (proc_pid_clear_refs(5)). Where that is not possible, peaks are those since the start.
func ResetPeakMemory(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o200)
}
