package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
	"surefoot/internal/testboot"
)

func lbMatrixScenarios() []scenario { return []scenario{{"lb-matrix", lbMatrix}} }

// matrixColumn is a way of balancing, and what a backend's answers come from.
type matrixColumn struct {
	mode string
	own  bool // from the backend's own address, whichever was asked
}

func (c matrixColumn) String() string {
	if c.own {
		return c.mode + "/own"
	}
	return c.mode + "/asked"
}

// matrixClients are those of the table, in its order.
var matrixClients = []string{"tftp-hpa", "curl", "atftp", "busybox", "iPXE (QEMU)", "OVMF (QEMU)", "our probe"}

// cannot says why a client gets nothing; "": it does. Direct return from a backend's own address reaches only
// clients that go over to whoever answered: EDK2 connects its UDP instance to the server's address, and drops the rest
// with an ICMP error (MdeModulePkg/Udp4Dxe, Udp4MatchDgram); our probe is as strict where it is asked to be like it;
// tftp-hpa, as U-Boot, learns the port of the answer and not its address, where nothing listens. In the
// other modes the answer comes back through the node, which makes it right.
func (c matrixColumn) cannot(client string) string {
	if c.mode != "dsr" || !c.own {
		return ""
	}
	switch client {
	case "OVMF (QEMU)", "our probe":
		return "takes no answer but from the address that it asked"
	case "tftp-hpa":
		return "sends its ACKs to the address that it asked, and the transfer is at another"
	}
	return ""
}

// lbMatrix asks every mode with every client, with servers that answer from the address that they were asked at (tftpd-hpa) and
// with those that answer from their own (as inetd's do).
func lbMatrix(t *testing.T, b *bench) {
	l := newDSRNet(t, b)
	l.clientNet()
	var columns []matrixColumn
	for _, mode := range []string{"dsr", "nat", "snat", "relay"} {
		columns = append(columns, matrixColumn{mode, false}, matrixColumn{mode, true})
	}
	programs := testboot.Files("matrix")
	for _, h := range []string{"sv1", "sv2"} {
		l.write(h, "bios.0", programs[boot.TestBootstrapBIOS])
		l.write(h, "x64.efi", programs[boot.TestBootstrapX64])
		l.write(h, "boot.bin", l.content[:matrixSize])
		l.write(h, "same", []byte("the same on all\n"))
	}
	got := map[string]map[matrixColumn]string{}
	for _, own := range []bool{false, true} {
		t.Run(map[bool]string{false: "asked", true: "own"}[own], func(t *testing.T) { // servers end with it
			l.t = t
			for i, h := range []string{"sv1", "sv2"} {
				if own {
					l.ownServer(t, h, netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", 31+i)))
				} else {
					l.tftpd(h)
				}
			}
			for _, c := range columns {
				if c.own == own {
					l.matrixColumn(t, c, got)
				}
			}
			for _, h := range []string{"sv1", "sv2"} {
				l.kill(h, syscall.SIGKILL)
			}
		})
	}
	l.t = t
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "CLIENT")
	for _, c := range columns {
		fmt.Fprintf(w, "\t%s", c)
	}
	fmt.Fprintln(w)
	notes := map[string]bool{}
	for _, client := range matrixClients {
		fmt.Fprint(w, client)
		for _, c := range columns {
			fault, why := got[client][c], c.cannot(client)
			cell := "OK"
			if fault != "" {
				cell = "FAIL"
			}
			if (fault != "") != (why != "") {
				cell += " (!)"
				t.Errorf("%s, %s: %q, expected %q", c, client, fault, why)
			}
			if why != "" {
				notes[fmt.Sprintf("%s cannot with %s: it %s (%s)", client, c, why, fault)] = true
			}
			fmt.Fprintf(w, "\t%s", cell)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	for n := range notes {
		table.WriteString(n + "\n")
	}
	t.Log("\n" + table.String())
	if t.Failed() {
		t.Log(l.logs())
	}
}

// matrixColumn starts the balancer in a mode and asks with every client.
func (l *dsrNet) matrixColumn(t *testing.T, c matrixColumn, got map[string]map[matrixColumn]string) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%s: %.1f s", c, time.Since(began).Seconds()) }()
	more := ""
	switch c.mode {
	case "dsr":
		more = ", plane: tcx"
	case "nat", "snat":
		more = ", forwarding: set"
	case "relay":
		more = ", cache: off"
	}
	l.natSite(c.mode, more)
	text, err := os.ReadFile(l.path("lb1.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	l.write(".", "lb1.yaml", bytes.ReplaceAll(text, []byte("backends: [sv1, sv2, sv3]"), []byte("backends: [sv1, sv2]")))
	if c.mode == "dsr" {
		for _, h := range []string{"sv1", "sv2"} {
			l.sh(h, "ip addr add "+dsrVIP+"/32 dev lo")
		}
	}
	l.balancer("lb1")
	l.await("the address", func() bool { return strings.Contains(l.sh("lb1", "ip -4 addr show dev eth0"), " "+dsrVIP+"/") })
	l.await("both backends", func() bool { out, _ := l.surefoot("lb", "list"); return strings.Count(out, " up ") == 2 })
	var mu sync.Mutex
	var all sync.WaitGroup
	note := func(client, fault string) {
		mu.Lock()
		defer mu.Unlock()
		if got[client] == nil {
			got[client] = map[matrixColumn]string{}
		}
		got[client][c] = fault
	}
	for client, vm := range map[string]matrixVM{"iPXE (QEMU)": {uefi: false, number: 1}, "OVMF (QEMU)": {uefi: true, number: 2}} {
		all.Go(func() { note(client, l.boots(vm)) })
	}
	for _, client := range []string{"tftp-hpa", "curl", "atftp", "busybox"} {
		fault := ""
		if client == "tftp-hpa" && c.cannot(client) != "" { // it asks for 25 s
			if out, err := l.in("cl", "timeout", "6", "tftp", "-m", "binary", dsrVIP, "-c", "get", "boot.bin", "/dev/null").CombinedOutput(); err != nil {
				note(client, fmt.Sprintf("%v %s", err, out))
				continue
			}
		}
		for range 2 { // each backend has its turn
			if file, err := l.get(client, dsrVIP, "boot.bin", "10.1.0.10"); err != nil || !bytes.Equal(file, l.content[:matrixSize]) {
				fault = fmt.Sprintf("%d bytes, %v", len(file), err)
				break
			}
		}
		note(client, fault)
	}
	fault := ""
	for range 2 {
		out, err := l.in("cl", l.binary, "probe", "tftp://"+dsrVIP+"/boot.bin", "--as", "edk2", "--timeout", "1s", "--json").Output()
		var said struct{ Fault struct{ Code string } }
		if err != nil && json.Unmarshal(out, &said) == nil {
			fault = fmt.Sprintf("%v: %s", err, said.Fault.Code)
			break
		}
	}
	note("our probe", fault)
	all.Wait()
	l.kill("lb1", syscall.SIGTERM)
	if out, err := l.surefoot("lb", "down"); err != nil {
		t.Error(out)
	}
}

// clientNet lets machines stand beside the client, and tells them to ask the service.
func (l *dsrNet) clientNet() {
	l.t.Helper()
	l.sh("cl", `ip link add br1 type bridge forward_delay 0 stp_state 0 mcast_snooping 0
ip addr flush dev eth0
ip link set eth0 master br1
ip addr add 10.1.0.10/16 dev br1
ip link set br1 up
ip route replace default via 10.1.0.1`)
	l.start("dnsmasq", l.in("cl", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=br1", "--bind-interfaces", "--user=root", "--no-ping",
		"--dhcp-range=10.1.0.100,10.1.0.150,255.255.0.0", "--dhcp-option=3,10.1.0.1", "--dhcp-leasefile="+l.path("leases"), "--pid-file="+l.path("dnsmasq.pid"),
		"--dhcp-match=set:x64,option:client-arch,7", "--dhcp-match=set:x64,option:client-arch,9",
		"--dhcp-boot=tag:x64,x64.efi,service,"+dsrVIP, "--dhcp-boot=tag:!x64,bios.0,service,"+dsrVIP))
}

// matrixVM is a machine beside the client.
type matrixVM struct {
	uefi   bool
	number int
}

// matrixSize is that of the file that clients without firmware get: many blocks of 512 bytes.
const matrixSize = 60_000

var matrixEnd = regexp.MustCompile(`SUREFOOT-TEST (?:OK|FAIL)|No bootable device|No bootable option or device|UEFI Interactive Shell|PXE-E[0-9]+[^\r\n]*[\r\n]|[Nn]o more network devices`)

// boots switches a machine on, and says why it does not start the bootstrap; "" if it does.
func (l *dsrNet) boots(m matrixVM) string {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	tap := fmt.Sprintf("tap%d", m.number)
	if out, err := l.in("cl", "sh", "-ec", fmt.Sprintf("ip tuntap add %[1]s mode tap; ip link set %[1]s master br1 up", tap)).CombinedOutput(); err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	defer func() { _ = l.in("cl", "ip", "link", "del", tap).Run() }()
	mac := lab.MAC(map[bool]lab.Firmware{false: lab.BIOS, true: lab.UEFI}[m.uefi], byte(m.number)).String()
	nic := "virtio-net-pci,netdev=n0,bootindex=1,mac=" + mac
	words := []string{
		"qemu-system-x86_64", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-icount", "shift=5,sleep=off", "-netdev", "tap,id=n0,script=no,downscript=no,ifname=" + tap,
	}
	if m.uefi {
		vars := l.path(tap + ".fd")
		b, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
		if err == nil {
			err = os.WriteFile(vars, b, 0o600)
		}
		if err != nil {
			return err.Error()
		}
		words = append(words, "-machine", "q35,accel=tcg,usb=off", "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
			"-drive", "if=pflash,unit=1,format=raw,file="+vars, "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n", "-device", nic+",romfile=")
	} else {
		words = append(words, "-machine", "pc,accel=tcg,usb=off,graphics=off", "-device", nic)
	}
	cmd := l.in("cl", words...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err.Error()
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if end := matrixEnd.Find(said.Bytes()); end != nil {
			if bytes.Equal(end, []byte("SUREFOOT-TEST OK")) {
				return ""
			}
			return strings.TrimSpace(string(end))
		}
		if err != nil {
			return fmt.Sprintf("it ended: %v: %q", err, said.Bytes()[max(0, said.Len()-300):])
		}
	}
}
