// The machine's UUID, which PXE clients send as option 97: from SMBIOS (DSP0134), structure type 1.
#include "bdm.h"

static const u8 *table_of(const efi_guid *guid)
{
	for (u64 i = 0; i < firmware->table_count; i++)
		if (same(&firmware->tables[i].guid, guid, sizeof *guid))
			return firmware->tables[i].table;
	return 0;
}

static u64 number(const u8 *p, u32 bytes)
{
	u64 n = 0;
	for (u32 i = 0; i < bytes; i++)
		n |= (u64)p[i] << 8 * i;
	return n;
}

const u8 *smbios_uuid(void)
{
	static const efi_guid v3 = GUID_SMBIOS3, v2 = GUID_SMBIOS;
	const u8 *entry = table_of(&v3), *p;
	u64 size;

	if (entry) { // 5.2.2
		size = number(entry + 12, 4);
		p = (const u8 *)number(entry + 16, 8);
	} else {
		entry = table_of(&v2);
		if (!entry)
			return 0;
		size = number(entry + 22, 2); // 5.2.1
		p = (const u8 *)number(entry + 24, 4);
	}
	for (const u8 *end = p + size; p + 4 <= end && p[1] >= 4; p += 2) {
		if (p[0] == 1 && p[1] >= 24)
			return p + 8; // 7.2: in the order of option 97
		p += p[1]; // then strings, and two NULs behind them
		while (p + 2 <= end && (p[0] || p[1]))
			p++;
	}
	return 0;
}
