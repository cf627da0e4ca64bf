package bind

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder names the process that holds a local port in this network namespace, as in
// "dnsmasq (pid 812)", or "" if nobody does or it may not be known (needs root for the
// processes of others). network is "udp" or "tcp".
func Holder(network string, port uint16) string {
	inodes := map[string]bool{}
	for _, file := range []string{network, network + "6"} {
		for _, inode := range socketInodes("/proc/net/"+file, network, port) {
			inodes["socket:["+inode+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || !inodes[target] {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		comm, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %s)", bytes.TrimSpace(comm), pid)
	}
	return ""
}

// Held reports whether some process holds a local port in this network namespace, be it known which
// or not.
func Held(network string, port uint16) bool {
	return len(socketInodes("/proc/net/"+network, network, port))+len(socketInodes("/proc/net/"+network+"6", network, port)) > 0
}

// socketInodes returns the inodes of the listening sockets on a port from one table of
// /proc/net (columns: sl local remote st tx:rx tr:tm retr uid timeout inode).
func socketInodes(file, network string, port uint16) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	const listen = "0A" // TCP_LISTEN; UDP sockets have no such state
	var out []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		if len(fields) < 10 {
			continue
		}
		_, hexPort, ok := strings.Cut(fields[1], ":")
		if !ok || network == "tcp" && fields[3] != listen {
			continue
		}
		if p, err := strconv.ParseUint(hexPort, 16, 16); err == nil && uint16(p) == port && fields[9] != "0" {
			out = append(out, fields[9])
		}
	}
	return out
}
