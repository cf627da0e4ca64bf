// This program's own bytes: node name and checksum. The firmware has relocated the program, so
// the file is put together again from what is in memory, header by header and section by section
// (Microsoft PE format). What a loader changes or need not load counts as zero: ImageBase, the
// one relocated address, the relocation table, the padding behind a section. slot.go does the same.
#include "program.h"

enum { DISCARDABLE = 0x02000000 }; // IMAGE_SCN_MEM_DISCARDABLE

// The slot is filled in by the Go package, which finds it by its marker (slot.go has the same
// layout). It is volatile since the compiler must not take today's contents for granted.
static const volatile struct slot {
	char marker[16];
	u32 length, sum;
	u8 node[32];
	const volatile struct slot *anchor; // gives the file a relocation: some firmware wants one
} slot = {"surefoot.slot/1", 0, 0, "unnamed", &slot};

_Static_assert(sizeof slot == 64, "slot");

u32 self_length(void) { return slot.length; }

u32 self_sum_wanted(void) { return slot.sum; }

const u8 *self_node(void)
{
	static u8 node[32];
	for (u32 i = 0; i + 1 < sizeof node; i++)
		node[i] = slot.node[i];
	return node;
}

static u32 get16(const u8 *p) { return p[0] | p[1] << 8; }

static u32 get32(const u8 *p) { return get16(p) | get16(p + 2) << 16; }

// at returns where in memory the file's byte at this offset is, or 0 if it need not be there.
static const u8 *at(const u8 *base, u32 offset)
{
	const u8 *pe = base + get32(base + 0x3c);
	if (offset < get32(pe + 24 + 60)) // SizeOfHeaders
		return base + offset;
	const u8 *section = pe + 24 + get16(pe + 20);
	for (u32 n = get16(pe + 6); n > 0; n--, section += 40) {
		u32 virtual_size = get32(section + 8), address = get32(section + 12);
		u32 size = get32(section + 16), from = get32(section + 20);
		if (offset < from || offset >= from + size)
			continue;
		int kept = offset - from < virtual_size && !(get32(section + 36) & DISCARDABLE);
		return kept ? base + address + (offset - from) : 0;
	}
	return 0;
}

static int within(const u8 *p, const volatile void *field, u32 size)
{
	return p >= (const u8 *)field && p < (const u8 *)field + size;
}

u32 self_sum_found(const u8 *base)
{
	const u8 *image_base = base + get32(base + 0x3c) + 24 + 24;
	u32 crc = ~0u;
	for (u32 offset = 0; offset < slot.length; offset++) {
		const u8 *p = at(base, offset);
		int zero = !p || within(p, &slot.sum, sizeof slot.sum) ||
			   within(p, &slot.anchor, sizeof slot.anchor) || within(p, image_base, 8);
		crc ^= zero ? 0 : *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return slot.anchor == &slot ? ~crc : crc; // wrongly relocated: no checksum is right
}
