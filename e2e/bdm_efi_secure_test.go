package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"surefoot/internal/bdm/efi"
	"surefoot/internal/boot"
)

// secureOVMF is OVMF with Secure Boot on, for machines that trust one key: the one of which Debian
// ships the private half, for tests.
func secureOVMF(t *testing.T) firmware {
	t.Helper()
	f := firmware{"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", "q35,accel=tcg,usb=off,smm=on"}
	needs(t, f.code, "ovmf")
	needs(t, f.vars, "ovmf")
	return f
}

// signed signs a program as docs/bdm.md says.
func signed(t *testing.T, program []byte) []byte {
	t.Helper()
	const cert, key = "/usr/share/ovmf/PkKek-1-snakeoil.pem", "/usr/share/ovmf/PkKek-1-snakeoil.key"
	needs(t, "/usr/bin/sbsign", "sbsigntool")
	needs(t, key, "ovmf")
	dir := t.TempDir()
	in, open, out := filepath.Join(dir, "in.efi"), filepath.Join(dir, "open.key"), filepath.Join(dir, "out.efi")
	if err := os.WriteFile(in, program, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{
		{"openssl", "rsa", "-in", key, "-passin", "pass:snakeoil", "-out", open},
		{"sbsign", "--key", open, "--cert", cert, "--output", out, in},
		{"sbverify", "--cert", cert, out},
	} {
		if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, text)
		}
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// With Secure Boot a medium that is not signed does not start, and one that is signed starts signed
// bootstraps only: of a server that has another one it goes on to the next.
func bdmSecureBoot(t *testing.T, b *bench) {
	f := secureOVMF(t)
	const ipxe = "/usr/lib/ipxe/snponly.efi"
	needs(t, ipxe, "ipxe")
	program, err := os.ReadFile(ipxe)
	if err != nil {
		t.Fatal(err)
	}
	s := b.build(t, quiet(2))
	s.alone("n1", n1, map[string][]byte{boot.TestBootstrapX64: bootstrap("n1")})
	s.alone("n2", n2, map[string][]byte{boot.TestBootstrapX64: signed(t, program)})
	settings := asking("tftp://"+n1+"/", "tftp://"+n2+"/")
	secure := []string{"-global", "driver=cfi.pflash01,property=secure,value=on"}

	m := s.insert(settings, f, false, secure...)
	m.says(`failed to load Boot\S* [^\r\n]*: Access Denied`)
	if lines := m.lines(); lines != "" {
		t.Errorf("the program ran unsigned:\n%s", lines)
	}
	m.end()

	settings.program = signed(t, efi.Program())
	m = s.insert(settings, f, false, secure...)
	m.says(`E-DENIED Secure Boot does not allow `+boot.TestBootstrapX64+` of tftp://`+n1, `starting `+boot.TestBootstrapX64+` from `+n2, `iPXE initialising devices`)
	t.Logf("RESULT %s: %d bytes, signed %d\n%s", t.Name(), len(efi.Program()), len(settings.program), m.lines())
}
