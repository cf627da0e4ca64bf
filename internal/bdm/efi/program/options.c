// What a DHCP packet says (RFC 2131, RFC 2132).
#include "bdm.h"

enum { OPT_PAD = 0, LEAST = 300 }; // RFC 1542 section 2.1: relays drop what is shorter

static const u8 cookie[4] = {99, 130, 83, 99};

void packet_begin(writer *w, packet *p)
{
	memset(p, 0, sizeof *p);
	p->htype = 1;
	p->hlen = 6;
	memcpy(p->cookie, cookie, sizeof cookie);
	w->p = p;
	w->at = 240;
}

// packet_option leaves out what does not fit, with a byte kept for the end.
void packet_option(writer *w, u8 code, const void *value, u32 size)
{
	if (size > 255 || w->at + 2 + size + 1 > PACKET_SIZE)
		return;
	w->p->raw[w->at++] = code;
	w->p->raw[w->at++] = (u8)size;
	memcpy(w->p->raw + w->at, value, size);
	w->at += size;
}

u32 packet_end(writer *w)
{
	w->p->raw[w->at++] = OPT_END;
	return w->at < LEAST ? LEAST : w->at;
}

int packet_is_dhcp(const packet *p) { return same(p->cookie, cookie, sizeof cookie); }

static const u8 *find(const u8 *o, u32 n, u8 code, u32 *size)
{
	const u8 *end = o + n;
	while (o + 2 <= end && *o != OPT_END) {
		if (*o == OPT_PAD) {
			o++;
			continue;
		}
		if (o + 2 + o[1] > end)
			return 0;
		if (*o == code) {
			*size = o[1];
			return o + 2;
		}
		o += 2 + o[1];
	}
	return 0;
}

// packet_find looks into the fields file and sname as well, where option 52 says so (RFC 2132 9.3).
const u8 *packet_find(const packet *p, u8 code, u32 *size)
{
	u32 n;
	const u8 *o = find(p->options, sizeof p->options, code, size), *overload;
	if (o)
		return o;
	overload = find(p->options, sizeof p->options, OPT_OVERLOAD, &n);
	if (overload && n == 1 && *overload & 1)
		o = find(p->file, sizeof p->file, code, size);
	if (!o && overload && n == 1 && *overload & 2)
		o = find(p->sname, sizeof p->sname, code, size);
	return o;
}

int packet_ip(const packet *p, u8 code, ip4 *ip)
{
	u32 n;
	const u8 *o = packet_find(p, code, &n);
	if (!o || n < 4)
		return 0;
	memcpy(ip->b, o, 4);
	return 1;
}
