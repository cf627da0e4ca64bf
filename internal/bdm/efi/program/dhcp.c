// The address by DHCP (RFC 2131). The firmware's own DHCP is not used: EDK2's asks with the broadcast
// flag always set, waits 4 s, 8 s, 16 s, and listens for offers for as long. This one is made for
// servers of which some do not hear or do not care: it takes the first offer, counts secs from the
// first DISCOVER of all, since failover pairs answer for each other only then, and alternates the
// broadcast flag, since some relays and servers get only one kind of answer through.
#include "bdm.h"

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };

static u64 began; // of the first DISCOVER, in tenths
static int has_begun;

// common writes what DISCOVER and REQUEST have in common.
static void common(writer *w, const nic *n, packet *p, const u8 *xid, u32 secs, int broadcast, u8 type)
{
	static const u8 most[2] = {PACKET_SIZE >> 8, PACKET_SIZE & 255};
	packet_begin(w, p);
	p->op = 1;
	memcpy(p->xid, xid, 4);
	put16(p->secs, secs);
	p->flags[0] = broadcast ? 0x80 : 0;
	memcpy(p->chaddr, n->mac, 6);
	packet_option(w, OPT_TYPE, &type, 1);
	packet_option(w, OPT_MAX_SIZE, most, 2);
}

// who writes what PXE clients say of themselves (PXE 2.1 section 2.2, RFC 4578), and what tells this
// program from them.
static void who(writer *w)
{
	static const u8 arch[2] = {0, 7}, undi[3] = {1, 3, 0};
	static const u8 wanted[] = {OPT_MASK, OPT_ROUTER, OPT_NAMES, 12, 15, 28, 43, OPT_LEASE, OPT_SERVER_ID, OPT_CLASS,
				    OPT_SERVER, OPT_FILE, OPT_UUID};
	static const char class[] = "PXEClient:Arch:00007:UNDI:003000";
	char user[128];
	u8 id[17] = {0};

	packet_option(w, OPT_ARCH, arch, sizeof arch);
	packet_option(w, OPT_UNDI, undi, sizeof undi);
	packet_option(w, OPT_CLASS, class, sizeof class - 1);
	print_into(user, sizeof user, "Surefoot-BDM id=%s v=%s", config.id, config.version);
	packet_option(w, OPT_USER_CLASS, user, (u32)length(user));
	if (smbios_uuid()) {
		memcpy(id + 1, smbios_uuid(), 16);
		packet_option(w, OPT_UUID, id, sizeof id);
	}
	packet_option(w, OPT_WANTED, wanted, sizeof wanted);
}

// hear waits for an answer of one of two types.
static u8 hear(wire *w, const nic *n, const u8 *xid, packet *p, u8 one, u8 other, u64 until)
{
	u32 size;
	while (wire_receive(w, p, until)) {
		const u8 *type = packet_find(p, OPT_TYPE, &size);
		if (p->op == 2 && packet_is_dhcp(p) && same(p->xid, xid, 4) && same(p->chaddr, n->mac, 6) && type &&
		    size == 1 && (*type == one || *type == other))
			return *type;
	}
	return 0;
}

// request asks for what was offered; it says the same secs as the DISCOVER (RFC 2131 3.1 step 3).
static int request(nic *n, wire *w, const packet *offer, ip4 server)
{
	static const u8 patience[] = {10, 20, 20};
	const packet *d = &n->discover;
	static packet p;
	writer out;
	for (u32 i = 0; i < sizeof patience; i++) {
		u8 type;
		efi_status s;
		common(&out, n, &p, d->xid, get16(d->secs), d->flags[0] || i & 1, REQUEST);
		packet_option(&out, OPT_ADDRESS, offer->yiaddr.b, 4);
		packet_option(&out, OPT_SERVER_ID, server.b, 4);
		who(&out);
		s = wire_send(w, n, &p, packet_end(&out));
		if (s)
			fail("E-DHCP", "sending on %m: %e", n->mac, s);
		type = hear(w, n, d->xid, &n->ack, ACK, NAK, clock_now() + patience[i]);
		if (type == ACK)
			return 1;
		if (type == NAK) {
			fail("E-DHCP", "%i refuses the address %i that it was asked for", &server, &offer->yiaddr);
			return 0;
		}
	}
	fail("E-DHCP", "%i offered the address %i, and does not confirm it", &server, &offer->yiaddr);
	return 0;
}

// accept looks whether an offer has an address, and of whom: proxies offer none.
static int accept(const packet *offer, ip4 *server)
{
	static const ip4 none;
	return !same(&offer->yiaddr, &none, 4) && packet_ip(offer, OPT_SERVER_ID, server);
}

int dhcp_ask(nic *n, wire *w)
{
	static const u8 patience[] = {10, 20, 20, 40, 40}; // tenths of a second
	static packet offer;
	static const ip4 none;
	ip4 refused = none, bad = none; // who offered and then did not give: the next offer is to be another's
	u32 offers = 0;
	u8 xid[4];
	u64 now = __builtin_ia32_rdtsc();

	for (int i = 0; i < 4; i++)
		xid[i] = (u8)(now >> 8 * i) ^ n->mac[2 + i];
	for (u32 i = 0; i < sizeof patience; i++) {
		u64 until;
		ip4 server;
		u32 secs;
		writer out;
		efi_status s;
		if (!has_begun)
			began = clock_now();
		has_begun = 1;
		now = (clock_now() - began) / 10;
		secs = now > 0xffff ? 0xffff : (u32)now;
		common(&out, n, &n->discover, xid, secs, !(i & 1), DISCOVER);
		who(&out);
		n->has_discover = 1;
		say("DHCP %m: DISCOVER %u, secs %u, broadcast flag %s", n->mac, i + 1, secs, i & 1 ? "clear" : "set");
		s = wire_send(w, n, &n->discover, packet_end(&out));
		if (s)
			fail("E-DHCP", "sending on %m: %e", n->mac, s);
		until = clock_now() + patience[i];
		while (hear(w, n, xid, &offer, OFFER, OFFER, until)) {
			if (!accept(&offer, &server) || same(&server, &bad, 4))
				continue;
			offers++;
			say("DHCP %m: %i offers %i", n->mac, &server, &offer.yiaddr);
			if (request(n, w, &offer, server))
				return 1;
			refused = server;
			break; // and ask anew
		}
		bad = refused; // for one DISCOVER, in case that nobody else offers anything
		refused = none;
	}
	if (!offers)
		fail("E-DHCP", "no DHCP server answers on %m", n->mac);
	return 0;
}
