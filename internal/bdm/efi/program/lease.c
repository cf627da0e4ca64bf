// A network card's address: from the settings, or by DHCP.
#include "bdm.h"

// Cards take some time to agree with a switch, from when the program connected them; one that was
// stopped since then begins anew.
enum { LINK_PATIENCE = 50, LINK_AGAIN = 10 }; // tenths

static int await_link(nic *n, wire *w)
{
	static packet unused;
	u64 until = clock_now() + LINK_AGAIN;
	if (until < LINK_PATIENCE)
		until = LINK_PATIENCE;
	while (trust_links && !nic_has_link(n)) {
		if (clock_now() >= until) {
			fail("E-LINK", "no cable, or no link, at %m", n->mac);
			return 0;
		}
		wire_receive(w, &unused, clock_now() + 1);
	}
	return 1;
}

// from_ack takes over what the server says beside the address.
static void from_ack(nic *n)
{
	static const ip4 none;
	u32 size;
	const u8 *names = packet_find(&n->ack, OPT_NAMES, &size);

	n->ip = n->ack.yiaddr;
	if (!packet_ip(&n->ack, OPT_MASK, &n->mask)) // by class, as RFC 950 has it
		n->mask = mask_of(n->ip.b[0] < 128 ? 8 : n->ip.b[0] < 192 ? 16 : 24);
	n->gateway = none;
	packet_ip(&n->ack, OPT_ROUTER, &n->gateway);
	for (; names && size >= 4 && n->name_count < MAX_NAMES; names += 4, size -= 4)
		memcpy(&n->names[n->name_count++], names, 4);
}

int nic_address(nic *n)
{
	static const ip4 none;
	wire w;
	efi_status s = wire_open(&w, n);
	int got;

	if (s) {
		fail("E-NIC", "%m cannot be used: %e", n->mac, s);
		return 0;
	}
	n->name_count = config.name_count;
	memcpy(n->names, config.names, sizeof config.names);
	got = await_link(n, &w);
	if (got && config.is_static) {
		n->ip = config.ip;
		n->mask = config.mask;
		n->gateway = config.gateway;
	} else if (got && (got = dhcp_ask(n, &w))) {
		from_ack(n);
	}
	wire_close(&w);
	if (!got)
		return 0;
	if (same(&n->gateway, &none, 4))
		say("address %i mask %i, no gateway, on %m", &n->ip, &n->mask, n->mac);
	else
		say("address %i mask %i gateway %i on %m", &n->ip, &n->mask, &n->gateway, n->mac);
	return 1;
}
