package app

import (
	"net/netip"
	"testing"

	"surefoot/internal/config"
)

// Of what is excluded only what would be given counts: 0.0.0.0-255.255.255.255 is no list of four billion.
func TestExcludedPool(t *testing.T) {
	at := netip.MustParseAddr
	cfg := &config.Config{DHCP: config.DHCP{Scopes: []config.DHCPScope{{
		Network: "lan", Subnet: netip.MustParsePrefix("10.0.0.0/24"),
		Ranges:  []config.AddrRange{{From: at("10.0.0.10"), To: at("10.0.0.20")}, {From: at("10.0.0.30"), To: at("10.0.0.31")}},
		Exclude: []config.AddrRange{{From: at("0.0.0.0"), To: at("10.0.0.11")}, {From: at("10.0.0.31"), To: at("255.255.255.255")}},
	}}}}
	got := pools(cfg)[0].Exclude
	if len(got) != 3 || got[0] != at("10.0.0.10") || got[1] != at("10.0.0.11") || got[2] != at("10.0.0.31") {
		t.Error(got)
	}
}
