package app

import (
	"strings"
	"testing"
	"time"

	"surefoot/internal/probe"
)

// What a network's clients are granted is what the site file says, from the next transfer after a
// reload on, and the story tells what was kept from them and what kind of client they look like.
func TestOffers(t *testing.T) {
	n := start(t, nil)
	f := func(when, networks, granted, quirk string) {
		t.Helper()
		n.configure(t, func(s string) string { return networks + s })
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := len(n.log.String())
		target := probe.Target{Scheme: "tftp", Host: "127.0.0.1", Port: uint16(n.tftp), File: "a.0"}
		res := probe.TFTP(t.Context(), target, probe.Options{As: probe.EDK2})
		if res.Fault != nil || res.Granted != granted {
			t.Errorf("%s: granted %q, want %q; %v", when, res.Granted, granted, res.Fault)
		}
		for until := time.Now().Add(patience); !strings.Contains(n.log.String()[before:], quirk); time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%s: the log does not say %s: %s", when, quirk, n.log.String()[before:])
			}
		}
	}
	f("nothing said", "", "blksize=1468 windowsize=4", "quirk=edk2 ")
	f("a network", "networks: {lab: {subnet: 127.0.0.0/8, deliver: none, tftp: {refuse_options: [windowsize], max_blksize: 1428}}}\n",
		"blksize=1428",
		`quirk="edk2; blksize at most 1428, windowsize refused (site file, network lab)"`)
	f("another network", "networks: {lab: {subnet: 10.0.0.0/8, deliver: none, tftp: {max_windowsize: 1}}, rest: {deliver: none}}\n",
		"blksize=1468 windowsize=4", "quirk=edk2 ")
}
