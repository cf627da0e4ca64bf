package e2e

import (
	"testing"

	"surefoot/internal/boot"
	"surefoot/internal/lab"
)

// bdmEFIScenarios are machines with UEFI firmware that boot from a medium of ours.
func bdmEFIScenarios() []scenario {
	return []scenario{
		{"bdm-efi-first-dead", bdmFirstDead},
	}
}

const (
	n2     = "10.77.0.12"
	nobody = "10.77.0.66" // an address that no machine has
)

// quiet is a site whose nodes hand out files and say nothing of booting: the lab's DHCP server gives
// addresses alone.
func quiet(nodes int) string {
	return site{quiet: true}.text(nodes)
}

// The first server is not there, the second one is; no DHCP server says anything of booting.
func bdmFirstDead(t *testing.T, b *bench) {
	s := b.raise(t, lab.Options{Nodes: 2, Site: quiet(2)})
	m := s.insert(medium{settings: []string{
		"file " + boot.TestBootstrapX64, "server tftp://" + nobody + "/", "server tftp://" + n2 + "/",
	}}, plainOVMF(), false)
	m.says(`E-TFTP-TIMEOUT tftp://` + nobody)
	m.report("n2", n2)
}
