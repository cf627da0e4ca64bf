package storm

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// benchRelay downloads from a server, and from the same server through the relay, which is on the same core: what
// a relay costs. "ms/MiB" is the core's time for both. Without a cache each client has a download of its own.
func (s *site) benchRelay(bin string) {
	for _, c := range []benchCase{
		{name: "relay100", title: "1 MiB, lock-step, 100 at once", file: "1m", clients: 100, downloads: 300},
		{name: "relay100w16", title: "1 MiB, windowsize 16, 100 at once", file: "1m", clients: 100, downloads: 500, window: 16},
		{name: "relay1w64", title: "64 MiB, windowsize 64, one client", file: "64m", clients: 1, downloads: 3, window: 64},
	} {
		fmt.Printf("\n%-12s %s, by our own server\n", c.name, c.title)
		fmt.Printf("  %-22s %9s %8s %9s %9s %6s %6s %8s %8s %6s %6s %10s\n",
			"way", "downl./s", "MB/s", "p50 ms", "p99 ms", "failed", "lost", "RSS MiB", "ms/MiB", "gen. %", "runs", "direct is")
		var direct *measured
		for _, cache := range []string{"", "off", "256MiB"} {
			name := map[string]string{"": "direct", "off": "relay, each its own", "256MiB": "relay, shared"}[cache]
			m, err := s.relayed(c, bin, cache)
			if err != nil {
				fmt.Printf("  %-22s %v\n", name, err)
				continue
			}
			if cache == "" {
				direct = m
			}
			fmt.Printf("  %-22s %s%s\n", name, m, ratio(direct, m))
		}
	}
}

// relayed is a case through a relay with that cache, "" for none.
func (s *site) relayed(c benchCase, bin, cache string) (*measured, error) {
	at := "127.0.0.1:69"
	if cache != "" {
		at = "127.0.0.2:69"
	}
	begin := func(args ...string) (*exec.Cmd, error) {
		cmd := s.command("taskset", append([]string{"-c", "0", bin}, args...)...)
		return cmd, cmd.Start()
	}
	server, err := begin("tftp", "--root", s.dir, "--listen", at, "--max-transfers", "16000", "--max-per-client", "16000")
	if err != nil {
		return nil, err
	}
	defer end(server)
	s.up(netip.MustParseAddrPort(at))
	counted := server
	if cache != "" {
		file := filepath.Join(s.dir, "relay.yaml")
		text := fmt.Sprintf(`site: bench
nodes: {lb1: {address: 127.0.0.1, roles: [lb]}}
servers: {one: {tftp: 127.0.0.2}, service: {tftp: 127.0.0.1}}
boot: [{name: boot, file: 1m, from: [service]}]
networks: {lab: {subnet: 127.0.0.0/8, deliver: none}}
watch: {enabled: false}
status: {socket: %s/relay.sock}
state: %s
history: {file: none}
lb: {services: {boot: {listen: 127.0.0.1, backends: [one], cache: %s}}}
`, s.dir, s.dir, cache)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
		relay, err := begin("serve", "--config", file, "--node", "lb1")
		if err != nil {
			return nil, err
		}
		defer end(relay)
		s.up(netip.MustParseAddrPort("127.0.0.1:69"))
		counted = relay
	}
	m, err := s.benchRun(c, bin)
	if err != nil {
		return nil, err
	}
	m.rss, m.runs, m.died = peakRSS(counted.Process.Pid), 1, !alive(counted.Process.Pid)
	return m, nil
}
