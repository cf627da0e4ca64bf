package e2e

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"surefoot/internal/bdm/efi"
	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// bdmEFIScenarios are machines with UEFI firmware that boot from a medium of ours.
func bdmEFIScenarios() []scenario {
	return []scenario{
		{"bdm-efi-first-dead", bdmFirstDead},
		{"bdm-efi-own-dhcp", bdmOwnDHCP},
		{"bdm-efi-port-closed", bdmPortClosed},
		{"bdm-efi-wrong-hash", bdmWrongHash},
		{"bdm-efi-all-dead", bdmAllDead},
		{"bdm-efi-dies-midway", bdmDiesMidway},
		{"bdm-efi-crooked", bdmCrooked},
		{"bdm-efi-static", bdmStatic},
		{"bdm-efi-http", bdmHTTP},
		{"bdm-efi-name", bdmName},
		{"bdm-efi-gateway", bdmGateway},
		{"bdm-efi-comes-back", bdmComesBack},
		{"bdm-efi-two-cards", bdmTwoCards},
		{"bdm-efi-no-link", bdmNoLink},
		{"bdm-efi-other-driver", bdmOtherDriver},
		{"bdm-efi-no-dhcp", bdmNoDHCP},
		{"bdm-efi-rogue-dhcp", bdmRogueDHCP},
		{"bdm-efi-ipxe", bdmIPXE},
		{"bdm-efi-vlan", bdmVLAN},
		{"bdm-efi-damaged", bdmDamaged},
		{"bdm-efi-secure-boot", bdmSecureBoot},
		{"bdm-efi-deaf-peer", bdmDeafPeer},
	}
}

const (
	n2     = "10.77.0.12"
	nobody = "10.77.0.66" // an address that no machine has
)

// quiet is a site whose nodes hand out files and say nothing of booting: the lab's DHCP server gives
// addresses alone.
func quiet(nodes int) lab.Options {
	return lab.Options{Nodes: nodes, Site: site{quiet: true}.text(nodes)}
}

// asking is a medium that asks these servers for the test bootstrap.
func asking(urls ...string) medium {
	m := medium{settings: []string{"file " + boot.TestBootstrapX64}}
	for _, u := range urls {
		m.settings = append(m.settings, "server "+u)
	}
	return m
}

func (m medium) with(lines ...string) medium {
	m.settings = slices.Concat(m.settings, lines)
	return m
}

// The first server is not there, the second one is; no DHCP server says anything of booting.
func bdmFirstDead(t *testing.T, b *bench) {
	s := b.raise(t, quiet(2))
	for _, right := range []bool{false, true} {
		m := s.insert(asking("tftp://"+nobody+"/", "tftp://"+n2+"/"), plainOVMF(), right)
		m.says(`E-TFTP-TIMEOUT tftp://` + nobody)
		m.report("n2", n2)
		m.end()
	}
	s.checkDiscovers(t)
	s.checkReadRequests(t, boot.TestBootstrapX64, n2)
}

// Our own DHCP server names a server of its own; the bootstrap is told of the medium's.
func bdmOwnDHCP(t *testing.T, b *bench) {
	s := b.build(t, lab.Options{Nodes: 2, OwnDHCP: true, Site: addressSite{}.text(t)})
	if err := s.Node("n1").Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.alone("n2", n2, map[string][]byte{"boot/of-n2.efi": bootstrap("n2")})
	m := s.insert(medium{settings: []string{"file of-n2.efi", "server tftp://" + n2 + "/boot/"}}, plainOVMF(), false)
	f := m.report("n2", n2)
	if f["file"] != "boot/of-n2.efi" {
		t.Errorf("the bootstrap finds file %q, want boot/of-n2.efi", f["file"])
	}
	want(t, "what the bootstrap finds", m.text(), "dhcp-ack: siaddr="+n2+" sname="+n2+" file=boot/of-n2.efi", "54="+n1, "66="+n2, "67=boot/of-n2.efi")
	s.checkDiscovers(t)
}

// A machine on which no TFTP server runs says so at once.
func bdmPortClosed(t *testing.T, b *bench) {
	s := b.build(t, quiet(2))
	s.alone("n2", n2, map[string][]byte{boot.TestBootstrapX64: bootstrap("n2")})
	m := s.insert(asking("tftp://"+n1+"/", "tftp://"+n2+"/").with("tries 9", "timeout 60"), plainOVMF(), false)
	m.says(`E-TFTP-REFUSED tftp://` + n1)
	m.report("n2", n2)
}

// The first server has another file than the one that the medium was made for, the second has none.
func bdmWrongHash(t *testing.T, b *bench) {
	s := b.build(t, quiet(3))
	s.alone("n1", n1, map[string][]byte{boot.TestBootstrapX64: bootstrap("n1")})
	s.alone("n2", n2, map[string][]byte{"other": nil})
	s.alone("n3", "10.77.0.13", map[string][]byte{boot.TestBootstrapX64: bootstrap("n3")})
	m := s.insert(asking("tftp://"+n1+"/", "tftp://"+n2+"/", "tftp://10.77.0.13/").with(
		fmt.Sprintf("sha256 %x", sha256.Sum256(bootstrap("n3")))), plainOVMF(), false)
	m.says(`E-HASH tftp://`+n1, `E-TFTP-ERROR tftp://`+n2+`/: the server says 1 `)
	m.report("n3", "10.77.0.13")
}

// All servers are dead; after a while one comes back.
func bdmAllDead(t *testing.T, b *bench) {
	s := b.build(t, quiet(2))
	m := s.insert(asking("tftp://"+nobody+"/", "tftp://"+n2+"/").with("wait 2"), plainOVMF(), false)
	m.says(`E-TFTP-TIMEOUT tftp://`+nobody, `E-TFTP-REFUSED tftp://`+n2, `round 2 is over`)
	s.alone("n2", n2, map[string][]byte{boot.TestBootstrapX64: bootstrap("n2")})
	m.report("n2", n2)
}

// A server dies in the middle of the file.
func bdmDiesMidway(t *testing.T, b *bench) {
	s := b.build(t, quiet(2))
	large := make([]byte, 6<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(large)
	files := func(node string) map[string][]byte {
		return map[string][]byte{boot.TestBootstrapX64: append(bootstrap(node), large...)}
	}
	first := s.alone("n1", n1, files("n1"))
	s.alone("n2", n2, files("n2"))
	var blocks atomic.Int32
	s.filter = lab.UDP.IsReadRequest
	s.capture.Watch(func(f lab.Frame) {
		if u, ok := f.UDP(); ok && u.Src.Addr().String() == n1 && len(u.Payload) > 1000 && blocks.Add(1) == 500 {
			go first.kill()
		}
	})
	m := s.insert(asking("tftp://"+n1+"/", "tftp://"+n2+"/").with(
		fmt.Sprintf("sha256 %x", sha256.Sum256(files("n2")[boot.TestBootstrapX64]))), plainOVMF(), false)
	m.says(`E-TFTP-(REFUSED|TIMEOUT) tftp://` + n1)
	m.report("n2", n2)
	want(t, "progress", m.text(), "10% 20% ", "80% 90%")
}

// Packets are lost, doubled and swapped: the file arrives whole.
func bdmCrooked(t *testing.T, b *bench) {
	s := b.build(t, quiet(1))
	content := append(bootstrap("n1"), make([]byte, 200_000)...)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(content[len(content)-200_000:])
	s.crooked("n1", n1, content)
	m := s.insert(asking("tftp://"+n1+"/").with(fmt.Sprintf("sha256 %x", sha256.Sum256(content)), "tries 3"), plainOVMF(), false)
	m.report("n1", n1)
	want(t, "first try", m.text(), "Surefoot boot medium")
	if n := len(s.datagrams(lab.UDP.IsReadRequest)); n != 1 {
		t.Errorf("the file was asked for %d times", n)
	}
}

// A bootstrap that gives up is not the end: the next server's is tried. The one that gives up is our own
// program, which finds no settings where it is.
func bdmComesBack(t *testing.T, b *bench) {
	s := b.build(t, quiet(3))
	s.alone("n1", n1, map[string][]byte{boot.TestBootstrapX64: []byte("not a program")})
	s.alone("n2", n2, map[string][]byte{boot.TestBootstrapX64: efi.Program()})
	s.alone("n3", "10.77.0.13", map[string][]byte{boot.TestBootstrapX64: bootstrap("n3")})
	m := s.insert(asking("tftp://"+n1+"/", "tftp://"+n2+"/", "tftp://10.77.0.13/"), plainOVMF(), false)
	m.says(`E-START \S+ of tftp://`+n1+`/ is not a program`, `E-CFG the medium cannot be read`, `E-START \S+ of tftp://`+n2+`/ came back: aborted`)
	m.report("n3", "10.77.0.13")
}

// A bootstrap that takes the card over, and boots on by itself.
func bdmIPXE(t *testing.T, b *bench) {
	const program = "/usr/lib/ipxe/snponly.efi"
	needs(t, program, "ipxe")
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	s := b.build(t, lab.Options{Nodes: 2, OwnDHCP: true, Site: addressSite{}.text(t)})
	if err := s.Node("n1").Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.alone("n2", n2, map[string][]byte{"snponly.efi": content})
	m := s.insert(medium{settings: []string{
		"file snponly.efi", "server tftp://" + n2 + "/", fmt.Sprintf("sha256 %x", sha256.Sum256(content)),
	}}, plainOVMF(), false)
	m.says(`starting snponly.efi from `+n2, `iPXE initialising devices`, `/boot\.ipxe\?mac=`+mediumMAC)
	line := m.says(`SUREFOOT-TEST (OK|FAIL)[^\r\n]*\r\n`)[0]
	t.Logf("RESULT %s: %.1f s\n%s", t.Name(), time.Since(m.begun).Seconds(), m.lines())
	want(t, "report", line, "OK node=n1", "sum=ok")
}

// Settings that are damaged, or made for something else: the machine is given back.
func bdmDamaged(t *testing.T, b *bench) {
	s := b.build(t, quiet(1))
	lines := "surefoot-bdm 1\nid " + mediumID + "\nversion 1\nfile x\n"
	whole := sealed(lines + "server tftp://10.77.0.11/\n")
	for _, c := range []struct{ name, text, says string }{
		{"flipped", strings.Replace(whole, "10.77.0.11", "10.77.0.12", 1), `E-CFG SUREFOOT.CFG: its checksum is wrong`},
		{"bad address", sealed(lines + "ip static 10.77.0.300/24\n"), `E-CFG SUREFOOT.CFG: cannot read "ip static 10.77.0.300/24"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := s.insert(medium{text: c.text}, plainOVMF(), false)
			m.says(c.says, `the firmware goes on in 10 s`, `BdsDxe: `)
			t.Logf("%s", m.lines())
			m.end()
		})
	}
}
