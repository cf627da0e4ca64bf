package e2e

import (
	"os/exec"
	"os/user"
	"path/filepath"
	"time"
)

const networkd = "/lib/systemd/systemd-networkd"

// dhcpDaemonClients are the clients of systems that are in use, each with what it needs to run in a
// namespace without the rest of its system.
func dhcpDaemonClients() []*dhcpDaemon {
	return []*dhcpDaemon{
		{
			name: "networkd", programs: []string{networkd}, launch: startNetworkd, cable: true,
			knows: []string{"ADDRESS=<it>\n", "NETMASK=255.255.0.0\n", "ROUTER=10.78.0.1\n", "DNS=10.78.0.53\n", "MTU=1400\n", "LIFETIME=120\n"},
		},
		{
			name: "NetworkManager", programs: []string{"NetworkManager", "dbus-daemon"}, launch: startNetworkManager,
			knows: []string{
				"state changed new lease, address=<it>", "option subnet_mask          => '255.255.0.0'", "option routers              => '10.78.0.1'",
				"option domain_name_servers  => '10.78.0.53'", "option dhcp_lease_time      => '120'", "option interface_mtu        => '1400'",
			},
		},
		{
			name: "dhcpcd", programs: []string{"dhcpcd"}, launch: startDhcpcd, written: "reason=REBIND",
			knows: []string{"leased <it> for 120 seconds", "new_routers=10.78.0.1\n", "new_domain_name_servers=10.78.0.53\n", "new_dhcp_lease_time=120\n", "new_interface_mtu=1400\n"},
		},
	}
}

// systemd-networkd runs without systemd and without a bus. It keeps what it knows in /run, which has to belong
// to the user that it becomes.
func startNetworkd(d *dhcpDaemon) *dhcpProgram {
	d.file("run/systemd/network/a.network", 0o644, "[Match]\nName="+d.dev+"\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n[DHCPv4]\nUseMTU=yes\n")
	for _, folder := range []string{"links", "leases", "lldp"} {
		d.file("run/systemd/netif/"+folder+"/.keep", 0o644, "")
	}
	u, err := user.Lookup("systemd-network")
	if err == nil {
		err = exec.Command("chown", "-R", u.Uid+":"+u.Gid, filepath.Join(d.own, "run/systemd")).Run()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return d.alone(d.name, []string{"SYSTEMD_LOG_LEVEL=debug", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_COLOR=0"}, networkd)
}

// NetworkManager wants a bus, so it gets one of its own; it asks with its own client (n-dhcp4).
func startNetworkManager(d *dhcpDaemon) *dhcpProgram {
	if d.client == nil {
		conf := d.file("bus.conf", 0o644, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>
`)
		d.file("run/dbus/.keep", 0o644, "")
		d.file("lib/NetworkManager/.keep", 0o644, "")
		bus := d.alone("dbus-daemon", nil, "dbus-daemon", "--config-file="+conf, "--nofork", "--nopidfile", "--print-address")
		d.await("the bus works", 10*time.Second, func() bool { return bus.said() != "" })
	}
	conf := d.file("nm.conf", 0o644, "[main]\nplugins=keyfile\ndhcp=internal\ndns=none\nauth-polkit=false\nno-auto-default=*\n"+
		"[keyfile]\npath="+filepath.Join(d.own, "connections")+"\nunmanaged-devices=except:interface-name:"+d.dev+"\n[device]\nmatch-device=*\nmanaged=1\n")
	d.file("connections/a.nmconnection", 0o600, "[connection]\nid=a\nuuid=c82cf677-d4e5-39cc-b9b7-228445bbc6e9\ntype=ethernet\ninterface-name="+d.dev+
		"\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n")
	return d.alone(d.name, nil, "NetworkManager", "--debug", "--log-level=DEBUG", "--log-domains=DHCP4,CORE,DEVICE",
		"--config="+conf, "--config-dir="+filepath.Join(d.own, "none"), "--system-config-dir="+filepath.Join(d.own, "none"),
		"--intern-config="+filepath.Join(d.own, "intern.conf"), "--state-file="+filepath.Join(d.own, "state"))
}

// dhcpcd says to a script what it has.
func startDhcpcd(d *dhcpDaemon) *dhcpProgram {
	script := d.file("script", 0o755, "#!/bin/sh\nenv\n")
	return d.alone(d.name, nil, "dhcpcd", "-4", "-B", "-d", "--noarp", "-f", "/dev/null", "-o", "routers,domain_name_servers,interface_mtu,classless_static_routes", "-c", script, d.dev)
}
