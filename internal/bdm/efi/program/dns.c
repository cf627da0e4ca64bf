// The addresses of a name (RFC 1035), asked of the servers that the settings or DHCP name. The firmware's
// own DNS is not used: little firmware has it.
#include "bdm.h"

enum { PORT = 53, TYPE_A = 1, CLASS_IN = 1, HEAD = 12 };

static u8 in[1232];

static u32 question(u8 *out, u16 id, const char *name)
{
	u32 n = HEAD;
	memset(out, 0, HEAD);
	put16(out, id);
	out[2] = 1; // recursion desired
	out[5] = 1; // one question
	while (*name) {
		u32 at = n++, size = 0;
		for (; *name && *name != '.'; name++, size++)
			out[n++] = (u8)*name;
		out[at] = (u8)size;
		if (size > 63 || (!size && *name))
			return 0;
		if (*name)
			name++;
	}
	out[n++] = 0;
	put16(out + n, TYPE_A);
	put16(out + n + 2, CLASS_IN);
	return n + 4;
}

// skip_name returns where a name ends, which may lead to another place.
static u32 skip_name(u32 at, u32 size)
{
	while (at < size && in[at]) {
		if (in[at] >= 0xc0)
			return at + 2;
		at += 1 + in[at];
	}
	return at + 1;
}

// addresses takes them from an answer, as many as there is room for.
static u32 addresses(u32 size, ip4 *found)
{
	u32 at = skip_name(HEAD, size) + 4, n = 0;
	for (u32 left = get16(in + 6); left > 0; left--) {
		at = skip_name(at, size);
		if (at + 10 > size || at + 10 + get16(in + at + 8) > size)
			break;
		if (get16(in + at) == TYPE_A && get16(in + at + 2) == CLASS_IN && get16(in + at + 8) == 4 && n < MAX_ADDRESSES)
			memcpy(found[n++].b, in + at + 10, 4);
		at += 10 + get16(in + at + 8);
	}
	return n;
}

static u32 ask(udp *u, ip4 who, const char *name, ip4 *found)
{
	u8 out[HEAD + 64 + 8];
	u16 id = (u16)__builtin_ia32_rdtsc(), port;
	u32 n = question(out, id, name), size, count;
	u64 until = clock_now() + config.timeout * 10;
	efi_status why = n ? udp_send(u, who, PORT, out, n, until) : EFI_UNSUPPORTED;

	while (!why) {
		size = udp_receive(u, who, &port, in, sizeof in, until, &why);
		if (size < HEAD || port != PORT || get16(in) != id || !(in[2] & 0x80))
			continue;
		count = addresses(size, found);
		if (count)
			return count;
		fail("E-DNS", "%i knows no address of %s (answer code %u)", &who, name, in[3] & 15);
		return 0;
	}
	fail("E-DNS", "%s: %i: %e", name, &who, why);
	return 0;
}

u32 dns_find(const nic *n, const char *name, ip4 *found)
{
	udp u;
	u32 count = 0;
	efi_status s;

	if (!n->name_count) {
		fail("E-DNS", "%s: neither the settings nor DHCP name a DNS server", name);
		return 0;
	}
	if ((s = udp_open(&u, n))) {
		fail("E-NIC", "UDP on %m: %e", n->mac, s);
		return 0;
	}
	for (u32 try = 0; try < config.tries && !count; try++)
		for (u32 i = 0; i < n->name_count && !count; i++)
			count = ask(&u, n->names[i], name, found);
	udp_close(&u);
	return count;
}
