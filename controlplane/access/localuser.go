package access

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// LocalUser is the name of the system's user that has the client's end of a TCP connection of this machine, or the user's number. It is
// empty where the system does not tell: on others than Linux, or from another network namespace.
func LocalUser(client, server netip.AddrPort) string {
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid, ok := findSocket(f, client, server)
		_ = f.Close() // only read
		if !ok {
			continue
		}
		if u, err := user.LookupId(uid); err == nil {
			return u.Username
		}
		return uid
	}
	return ""
}

// findSocket reads a table of proc_pid_net(5): "sl local_address rem_address st tx:rx tr:when retrnsmt uid …".
func findSocket(table io.Reader, local, remote netip.AddrPort) (uid string, ok bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 {
			continue
		}
		a, okA := socketAddress(fields[1])
		b, okB := socketAddress(fields[2])
		if !okA || !okB || a != local || b != remote {
			continue
		}
		if _, err := strconv.ParseUint(fields[7], 10, 32); err == nil {
			return fields[7], true
		}
	}
	return "", false
}

// socketAddress reads "0100007F:1F90": an address as words of 32 bits in the machine's order, and a port.
func socketAddress(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	words, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(words); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:]))
	}
	ip, ok := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}
