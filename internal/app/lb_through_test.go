package app

import (
	"net/netip"
	"testing"

	"surefoot/internal/config"
	"surefoot/internal/watch"
)

const throughSite = `nodes: {lb1: {address: 10.10.0.11, interfaces: [eth1], roles: [proxydhcp, lb]}}
servers: {pvs1: {tftp: 10.10.0.21}, pvs2: {tftp: 10.10.0.22}, service: {tftp: 10.10.0.20}}
boot:
  - {name: own, file: other.bin, when: {mac: ["52:54:00"]}, from: [pvs2]}
  - {name: pvs, file: ARDBP32.BIN, from: [service]}
networks: {vdi: {subnet: 10.10.0.0/22}}
lb: {services: {boot: {listen: 10.10.0.20, backends: [pvs1, pvs2]}}}
`

// With direct server return the monitor reaches the backends through the data plane; one that machines are also sent to by
// its own address is tested there as well.
func TestMonitorThroughTheDataPlane(t *testing.T) {
	cfg, err := config.Parse("f", []byte(throughSite), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Watch.Enabled = true
	relayed := watchConfig(cfg).Tests
	cfg.Balances[0].Mode = "dsr"
	through := map[string]watch.Test{}
	for _, x := range watchConfig(cfg).Tests {
		if x.Through.Backend.IsValid() {
			through[x.Name] = x
		}
	}
	for _, x := range relayed {
		if x.Through.Backend.IsValid() {
			t.Errorf("the test %s of a relay's backend goes through a data plane", x.Name)
		}
	}
	a, b := through["pvs1/ARDBP32.BIN"], through["boot:pvs2/ARDBP32.BIN"]
	if len(through) != 3 || a.Server != "pvs1" || a.Target.Host != "10.10.0.20" || a.Through.Backend != netip.MustParseAddr("10.10.0.21") {
		t.Errorf("%+v", through)
	}
	if b.Steers() || b.Twins != a.Twins || b.Through.Backend != netip.MustParseAddr("10.10.0.22") {
		t.Errorf("%+v", b)
	}
	cfg.Site.Networks[0].VIP = "boot"
	if !namedItself(&cfg.Site, "pvs2") {
		t.Error("it does not stand behind the address that the network names")
	}
}

// What `surefoot lb check` looks at comes from the site file.
func TestChecks(t *testing.T) {
	cfg, err := config.Parse("f", []byte(throughSite), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := Checks(cfg, "")
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	s := list[0]
	if s.Name != "boot" || s.Address.String() != "10.10.0.20:69" || s.File != "other.bin" || len(s.Backends) != 2 || s.Backends[1].Addr.String() != "10.10.0.22:69" || len(s.Clients) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := Checks(cfg, "other"); err == nil {
		t.Error("a service that does not exist was found")
	}
}
