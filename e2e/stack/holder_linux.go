package stack

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listening is the state of a listening socket in /proc/net/tcp.
const listening = "0A"

// portHolder finds who listens on the TCP port, from /proc. Other users' processes are visible to root alone.
func portHolder(port int) (name string, pid int, ok bool) {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listenerInodes(table, port, inodes)
	}
	if len(inodes) == 0 {
		return "", 0, false
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*") // its only error is a bad pattern
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !inodes[target] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		pid, convErr := strconv.Atoi(filepath.Base(dir))
		if err != nil || convErr != nil {
			continue // it has just ended
		}
		return strings.TrimSpace(string(comm)), pid, true
	}
	return "", 0, false
}

// listenerInodes adds the sockets of table that listen on port to inodes, as /proc/PID/fd names them.
func listenerInodes(table string, port int, inodes map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return // no IPv6, or no /proc: the caller says what it does not know
	}
	defer f.Close() //nolint:errcheck // only read
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
		c := strings.Fields(lines.Text())
		if len(c) > 9 && strings.HasSuffix(c[1], suffix) && c[3] == listening {
			inodes["socket:["+c[9]+"]"] = true
		}
	}
}
