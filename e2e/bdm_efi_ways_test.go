package e2e

import (
	"net/netip"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// Nobody answers DHCP, and nobody is asked: the medium holds the address.
func bdmStatic(t *testing.T, b *bench) {
	o := quiet(2)
	o.OwnDHCP = true
	s := b.raise(t, o)
	m := s.insert(asking("tftp://"+n2+"/").with("ip static 10.77.0.90/24 10.77.0.1"), plainOVMF(), false)
	f := m.report("n2", n2)
	if f["ip"] != "10.77.0.90" {
		t.Errorf("address %q, want 10.77.0.90", f["ip"])
	}
	if asked := s.datagrams(func(u lab.UDP) bool { return u.Dst.Port() == 67 }); len(asked) != 0 {
		t.Errorf("%d DHCP packets although the address is given", len(asked))
	}
}

// By HTTP: nobody there, a refused connection, half a file, a file that is missing, the file.
func bdmHTTP(t *testing.T, b *bench) {
	s := b.build(t, quiet(2))
	asked := s.web("n2", n2+":8080", map[string][]byte{"boot files/" + boot.TestBootstrapX64: bootstrap("n2")})
	s.stutter("n1", n1+":81", false)
	s.stutter("n1", n1+":82", true)
	m := s.insert(asking("http://"+nobody+":8080/", "http://"+n1+"/", "http://"+n1+":81/", "http://"+n1+":82/", "http://"+n2+":8080/", "http://"+n2+":8080/boot%20files"), plainOVMF(), false)
	m.says(`E-HTTP http://`+nobody+`:8080/: `+nobody+` port 8080: no answer`, `E-HTTP http://`+n1+`/: `+n1+` port 80: connection re`,
		`E-HTTP http://`+n1+`:81/: `+n1+` port 81: no answer`, `E-HTTP http://`+n1+`:82/: the server stopped after 100 bytes of 8192`,
		`E-HTTP http://`+n2+`:8080/: the server answers 404 for /`+boot.TestBootstrapX64)
	line := m.says(`SUREFOOT-TEST (OK|FAIL)[^\r\n]*\r\n`)[0]
	t.Logf("RESULT %s: %.1f s\n%s", t.Name(), time.Since(m.begun).Seconds(), m.lines())
	want(t, "report", line, "node=n2", "server="+n2, "url=http://"+n2+":8080/boot%20files/"+boot.TestBootstrapX64, "sum=ok")
	asked.mu.Lock()
	defer asked.mu.Unlock()
	if len(asked.requests) != 2 {
		t.Fatalf("%d requests, want 2", len(asked.requests))
	}
	for _, r := range asked.requests {
		if got, want := r.UserAgent(), "Surefoot-BDM/"+mediumVersion+" ("+mediumID+")"; got != want {
			t.Errorf("User-Agent %q, want %q", got, want)
		}
		if r.Host != n2+":8080" {
			t.Errorf("Host %q", r.Host)
		}
	}
}

// The servers have one name. The first DNS server is not there, nor is the first server of the name.
func bdmName(t *testing.T, b *bench) {
	s := b.build(t, quiet(2))
	s.alone("n2", n2, map[string][]byte{boot.TestBootstrapX64: bootstrap("n2")})
	seen := s.resolver("n1", n1, netip.MustParseAddr(n1), netip.MustParseAddr(n2))
	m := s.insert(asking("tftp://boot.hq.example.net/").with("dns "+nobody, "dns "+n1), plainOVMF(), false)
	m.says(`E-DNS boot.hq.example.net: `+nobody, `asking tftp://boot.hq.example.net/ \(`+n1, `E-TFTP-REFUSED tftp://boot.hq.example.net/: no TFTP server runs at `+n1)
	m.report("n2", n2)
	seen.has(t, "boot.hq.example.net")
	want(t, "what the bootstrap finds", m.text(), "dhcp-ack: siaddr="+n2+" sname="+n2+" ")
}

// The servers are behind a router: TFTP, HTTP.
func bdmGateway(t *testing.T, b *bench) {
	o := quiet(1)
	o.Relay, o.OwnDHCP = true, true
	s := b.build(t, o)
	far := lab.RelayClient.String()
	s.alone("r", far, map[string][]byte{boot.TestBootstrapX64: bootstrap("far")})
	s.web("r", far+":80", map[string][]byte{boot.TestBootstrapX64: bootstrap("far")})
	for _, scheme := range []string{"tftp", "http"} {
		m := s.insert(asking(scheme+"://"+far+"/").with("ip static 10.77.0.90/24 "+lab.RelayAddr.String()), plainOVMF(), false)
		m.report("far", far)
		m.end()
	}
}
