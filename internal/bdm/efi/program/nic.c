// Network cards: those on which the firmware's network stack runs, VLANs among them.
#include "bdm.h"

nic nics[MAX_NICS];
u32 nic_count;
int trust_links = 1;

static const efi_guid mnp_binding = GUID_MNP_BINDING, device_path = GUID_DEVICE_PATH;

static u32 node_size(const efi_device_path *p) { return (u32)(p->length[0] | p->length[1] << 8); }

u32 path_size(const efi_device_path *path)
{
	const efi_device_path *p = path;
	while (p->type != DP_END && node_size(p) >= sizeof *p)
		p = (const efi_device_path *)((const u8 *)p + node_size(p));
	return (u32)((const u8 *)p - (const u8 *)path);
}

const efi_device_path *path_find(const efi_device_path *path, u8 type, u8 subtype)
{
	const u8 *p = (const u8 *)path, *end = p + path_size(path);
	for (; p < end; p += node_size((const efi_device_path *)p))
		if (p[0] == type && p[1] == subtype)
			return (const efi_device_path *)p;
	return 0;
}

// nics_connect is needed since firmware that starts a disk in a hurry leaves the network alone.
void nics_connect(void)
{
	efi_handle *all;
	u64 n;
	if (boot->locate_handle_buffer(ALL_HANDLES, 0, 0, &n, &all))
		return;
	for (u64 i = 0; i < n; i++)
		boot->connect_controller(all[i], 0, 0, 1);
	boot->free_pool(all);
}

// make_vlans asks every card for the VLAN; the firmware remembers it, so it is asked once.
static void make_vlans(void)
{
	static const efi_guid vlan = GUID_VLAN;
	efi_handle *all;
	u64 n;
	if (boot->locate_handle_buffer(BY_PROTOCOL, &vlan, 0, &n, &all)) {
		fail("E-NIC", "this firmware knows no VLANs, and the settings name VLAN %u", config.vlan);
		return;
	}
	for (u64 i = 0; i < n; i++) {
		efi_vlan *v;
		efi_status s;
		if (boot->handle_protocol(all[i], &vlan, (void **)&v))
			continue;
		s = v->set(v, (u16)config.vlan, 0);
		if (s)
			fail("E-NIC", "VLAN %u: %e", config.vlan, s);
	}
	boot->free_pool(all);
	nics_connect();
}

static void add(efi_handle handle)
{
	static const efi_guid snp = GUID_SNP;
	const efi_device_path *near, *node;
	efi_handle card;
	nic *n = &nics[nic_count];

	if (nic_count == MAX_NICS)
		return;
	memset(n, 0, sizeof *n);
	n->handle = handle;
	if (boot->handle_protocol(handle, &device_path, (void **)&n->path))
		return;
	node = path_find(n->path, DP_MESSAGING, DP_VLAN);
	if (config.vlan && (!node || *(const u16 *)(node + 1) != config.vlan)) // 10.3.4.15
		return;
	near = n->path;
	if (boot->locate_device_path(&snp, &near, &card) || boot->handle_protocol(card, &snp, (void **)&n->snp))
		n->snp = 0;
	if (n->snp)
		memcpy(n->mac, n->snp->mode->current.b, 6);
	nic_count++;
}

static void look(void)
{
	efi_handle *all;
	u64 n;
	nic_count = 0;
	if (boot->locate_handle_buffer(BY_PROTOCOL, &mnp_binding, 0, &n, &all))
		return;
	for (u64 i = 0; i < n; i++)
		add(all[i]);
	boot->free_pool(all);
}

void nics_find(void)
{
	look();
	if (!nic_count && config.vlan) {
		make_vlans();
		look();
	}
}

// nic_has_link asks a card that is in use; others do not tell.
int nic_has_link(nic *n)
{
	u32 interrupts;
	if (!n->snp || !n->snp->mode->media_known)
		return 1;
	n->snp->get_status(n->snp, &interrupts, 0); // 24.1.13: this makes media_present true or false
	return n->snp->mode->media_present;
}
