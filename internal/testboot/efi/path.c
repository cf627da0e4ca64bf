// Device paths (UEFI 2.10 section 10.2): a row of nodes, each with its length.
#include "program.h"

u32 path_length(const efi_device_path *node) { return node->length[0] | node->length[1] << 8; }

const efi_device_path *path_next(const efi_device_path *p)
{
	u32 n = path_length(p);
	if (p->type == DP_END || n < sizeof *p)
		return 0;
	return (const efi_device_path *)((const u8 *)p + n);
}

const efi_device_path *path_find(const efi_device_path *p, u8 type, u8 subtype)
{
	const efi_device_path *found = 0;
	for (; p && p->type != DP_END; p = path_next(p))
		if (p->type == type && p->subtype == subtype)
			found = p;
	return found;
}
