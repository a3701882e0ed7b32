package stack

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// watchdog starts a shell that waits for the end of a pipe which only this program holds open. When the program ends, however
// it ends, the shell reads the end and kills the process group of pid. The returned function takes the watchdog away and is
// called once the process has ended.
func watchdog(pid int) (func(), error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -s KILL -- "-$1"`, "watchdog", strconv.Itoa(pid))
	cmd.Stdin = read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it either
	err = cmd.Start()
	_ = read.Close() // the shell has its own
	if err != nil {
		_ = write.Close() // nobody reads it
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill() // before the pipe ends, or it would kill a group that may be another's by now
		_ = cmd.Wait()
		_ = write.Close()
	}, nil
}
