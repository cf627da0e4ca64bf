package proc

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCounter(t *testing.T) {
	const text = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams InCsumErrors\nUdp: 12 3\n"
	for _, c := range []struct {
		group, name string
		want        int64
		ok          bool
	}{{"Udp", "InCsumErrors", 3, true}, {"Udp", "InDatagrams", 12, true}, {"Udp", "Nothing", 0, false}, {"UdpLite", "InDatagrams", 0, false}} {
		if n, ok := counter(text, c.group, c.name); n != c.want || ok != c.ok {
			t.Errorf("%s %s: %d, %v", c.group, c.name, n, ok)
		}
	}
	if _, ok := Counter("Udp", "InDatagrams"); !ok {
		t.Error("the kernel counts no datagrams")
	}
	if _, ok := Counter("TcpExt", "IPReversePathFilter"); !ok {
		t.Error("the kernel counts no packets from the wrong side")
	}
}

func TestPath(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward":              "/proc/sys/net/ipv4/ip_forward",
		OfInterface("eth0.7", "rp_filter"): "/proc/sys/net/ipv4/conf/eth0.7/rp_filter",
	} {
		if p := path(name); p != want {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// Settings are those of the thread's namespace.
func TestSet(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	const name = "net.ipv4.conf.all.arp_ignore"
	before, _ := Setting(name)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if was, err := Set(name, "2"); err != nil || was == "2" || Number(name) != 2 {
			t.Errorf("was %q, is %d, %v", was, Number(name), err)
		}
		if _, err := Set("net.ipv4.nothing", "1"); err == nil {
			t.Error("a setting that does not exist was set")
		}
	}()
	<-done
	if now, _ := Setting(name); now != before {
		t.Errorf("the machine's own setting went from %s to %s", before, now)
	}
}
