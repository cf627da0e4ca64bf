// What a DHCP packet says (RFC 2131, RFC 2132; RFC 8415 and RFC 5970 for IPv6).
#include "program.h"

enum {
	OPTION_VENDOR = 43,
	OPTION_MESSAGE_TYPE = 53,
	OPTION_SERVER_ID = 54,
	OPTION_CLASS = 60,
	OPTION_SERVER = 66,
	OPTION_FILE = 67,
	OPTION_UUID = 97,
	OPTION6_URL = 59,
};

static u32 get16(const u8 *p) { return p[0] << 8 | p[1]; }

const u8 *packet_option(const pxe_packet *p, u8 code, u32 *length)
{
	static const u8 cookie[4] = {99, 130, 83, 99};
	const u8 *o = p->v4.options, *end = p->raw + PACKET_SIZE;
	for (int i = 0; i < 4; i++)
		if (p->v4.cookie[i] != cookie[i])
			return 0;
	while (o + 2 <= end && *o != 255) {
		if (*o == 0) { // a pad
			o++;
			continue;
		}
		if (o + 2 + o[1] > end)
			return 0;
		if (*o == code) {
			*length = o[1];
			return o + 2;
		}
		o += 2 + o[1];
	}
	return 0;
}

const u8 *packet_option6(const pxe_packet *p, u16 code, u32 *length)
{
	const u8 *o = p->v6.options, *end = p->raw + PACKET_SIZE;
	while (o + 4 <= end && get16(o)) {
		u32 n = get16(o + 2);
		if (o + 4 + n > end)
			return 0;
		if (get16(o) == code) {
			*length = n;
			return o + 4;
		}
		o += 4 + n;
	}
	return 0;
}

// packet_server returns siaddr, else the server identifier, else 0: EDK2 decides the same way.
const u8 *packet_server(const pxe_packet *p)
{
	u32 n;
	const u8 *o;
	if (p->v4.siaddr[0])
		return p->v4.siaddr;
	o = packet_option(p, OPTION_SERVER_ID, &n);
	return o && n == 4 ? o : 0;
}

const u8 *packet_file(const pxe_packet *p, u32 *size)
{
	*size = sizeof p->v4.file;
	return p->v4.file[0] ? p->v4.file : packet_option(p, OPTION_FILE, size);
}

// put_option prints the option, if the packet has it, as "before, code, between, value".
static void put_option(const pxe_packet *p, const char *before, u8 code, const char *between)
{
	u32 n;
	const u8 *o = packet_option(p, code, &n);
	if (!o)
		return;
	put(before);
	put_dec(code);
	put(between);
	if (code == OPTION_MESSAGE_TYPE && n == 1)
		put_dec(o[0]);
	else if (code == OPTION_SERVER_ID && n == 4)
		put_ip(o);
	else if (code == OPTION_UUID || code == OPTION_VENDOR)
		put_hex(o, n, 0);
	else
		put_text(o, n);
}

void put_packet(const char *name, const pxe_packet *p)
{
	static const u8 in_line[] = {OPTION_MESSAGE_TYPE, OPTION_SERVER_ID, OPTION_CLASS, OPTION_SERVER, OPTION_FILE};
	static const u8 in_lines[] = {OPTION_UUID, OPTION_VENDOR};
	put(name);
	put(": siaddr=");
	put_ip(p->v4.siaddr);
	put(" sname=");
	put_text(p->v4.sname, sizeof p->v4.sname);
	put(" file=");
	put_text(p->v4.file, sizeof p->v4.file);
	put("\n");
	put(name);
	put(" options:");
	for (u32 i = 0; i < sizeof in_line; i++)
		put_option(p, " ", in_line[i], "=");
	put("\n");
	for (u32 i = 0; i < sizeof in_lines; i++) {
		u32 n;
		if (!packet_option(p, in_lines[i], &n))
			continue;
		put(name);
		put_option(p, " option ", in_lines[i], ": ");
		put("\n");
	}
}

void put_packet6(const char *name, const pxe_packet *p)
{
	u32 n;
	const u8 *url = packet_option6(p, OPTION6_URL, &n);
	put(name);
	put(": DHCPv6 59=");
	if (url)
		put_text(url, n);
	put("\n");
}
