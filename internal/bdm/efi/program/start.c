// The bootstrap is started as the firmware's PXE client would do it: with the packets of that client
// set, so that it finds the server which is alive, and with the network card as its device.
#include "bdm.h"

enum { WATCHDOG = 300 }; // seconds: what a boot manager gives each boot option (UEFI 2.10 section 3.1.2)

static const efi_guid pxe_guid = GUID_PXE_BASE_CODE, device_path = GUID_DEVICE_PATH;

// named says which options speak of servers and files, which are the settings' to name.
static int named(u8 code)
{
	static const u8 codes[] = {0, 43, OPT_OVERLOAD, OPT_TYPE, OPT_SERVER, OPT_FILE, 150};
	for (u32 i = 0; i < sizeof codes; i++)
		if (codes[i] == code)
			return 1;
	return 0;
}

static void copy_options(writer *w, const u8 *o, u32 n)
{
	for (const u8 *end = o + n; o + 2 <= end && *o != OPT_END;) {
		if (*o == 0) {
			o++;
			continue;
		}
		if (o + 2 + o[1] > end)
			return;
		if (!named(*o))
			packet_option(w, *o, o + 2, o[1]);
		o += 2 + o[1];
	}
}

static void static_options(writer *w, const server *s, const nic *n)
{
	static const ip4 none;
	static const u8 forever[4] = {255, 255, 255, 255};
	packet_option(w, OPT_SERVER_ID, s->ip.b, 4);
	packet_option(w, OPT_LEASE, forever, 4);
	packet_option(w, OPT_MASK, n->mask.b, 4);
	if (!same(&n->gateway, &none, 4))
		packet_option(w, OPT_ROUTER, n->gateway.b, 4);
	if (n->name_count)
		packet_option(w, OPT_NAMES, n->names, 4 * n->name_count);
}

// make_ack writes the acknowledgement that the bootstrap will find: what DHCP said of the network, and
// the server that is alive. It says the address for its name: the name may stand for dead ones as well.
static void make_ack(packet *p, const server *s, const nic *n)
{
	static const u8 type = 5;
	const packet *had = &n->ack;
	const char *file = s->http ? s->path + 1 : s->path;
	u32 size = (u32)length(file), unused;
	const u8 *overload;
	char address[16];
	writer w;

	packet_begin(&w, p);
	p->op = 2;
	memcpy(p->chaddr, n->mac, 6);
	p->yiaddr = n->ip;
	p->siaddr = s->ip;
	print_into(address, sizeof address, "%i", &s->ip);
	memcpy(p->sname, address, length(address));
	if (size < sizeof p->file)
		memcpy(p->file, file, size);
	packet_option(&w, OPT_TYPE, &type, 1);
	if (n->has_discover) {
		memcpy(p->xid, had->xid, 4);
		memcpy(p->secs, had->secs, 4); // and flags
		p->giaddr = had->giaddr;
		copy_options(&w, had->options, sizeof had->options);
		overload = packet_find(had, OPT_OVERLOAD, &unused);
		if (overload && *overload & 1)
			copy_options(&w, had->file, sizeof had->file);
		if (overload && *overload & 2)
			copy_options(&w, had->sname, sizeof had->sname);
	} else {
		static_options(&w, s, n);
	}
	packet_option(&w, OPT_SERVER, address, (u32)length(address));
	packet_option(&w, OPT_FILE, file, size);
	packet_end(&w);
}

// find_pxe finds the firmware's PXE client for IPv4 of a card, and its place.
static pxe_base_code *find_pxe(const nic *n, const efi_device_path **path)
{
	efi_handle *all;
	pxe_base_code *pxe = 0;
	u32 size = path_size(n->path);
	u64 count;

	if (boot->locate_handle_buffer(BY_PROTOCOL, &pxe_guid, 0, &count, &all))
		return 0;
	for (u64 i = 0; i < count && !pxe; i++) {
		if (boot->handle_protocol(all[i], &device_path, (void **)path) || path_size(*path) < size ||
		    !same(*path, n->path, size) || path_find(*path, DP_MESSAGING, DP_IPV6))
			continue;
		if (boot->handle_protocol(all[i], &pxe_guid, (void **)&pxe))
			pxe = 0;
	}
	boot->free_pool(all);
	return pxe;
}

static efi_status set_packets(pxe_base_code *pxe, const server *s, const nic *n)
{
	static packet ack;
	static u32 ip[4], mask[4];
	u8 yes = 1, no = 0, discover = n->has_discover != 0;
	efi_status e;

	make_ack(&ack, s, n);
	memcpy(ip, &n->ip, 4);
	memcpy(mask, &n->mask, 4);
	if (pxe->mode->started)
		pxe->stop(pxe);
	if ((e = pxe->start(pxe, 0)))
		return e;
	e = pxe->set_station_ip(pxe, (const ip4 *)ip, (const ip4 *)mask);
	if (!e)
		e = pxe->set_packets(pxe, &discover, &yes, &no, &no, &no, &no, &n->discover, &ack, 0, 0, 0, 0);
	return e;
}

// whole_path is the place of the bootstrap: the card, and the URL where it came by HTTP (10.3.4.24).
static efi_device_path *whole_path(const efi_device_path *of, const server *s)
{
	static const efi_device_path end = {DP_END, DP_END_ENTIRE, {sizeof end, 0}};
	char url[384];
	u32 size = path_size(of), n = 0;
	u8 *p;

	if (s->http)
		print_into(url, sizeof url, "http://%s:%u%s", s->host, s->port, s->path);
	if (s->http)
		n = (u32)(sizeof end + length(url));
	p = allocate(size + n + sizeof end);
	if (!p)
		return 0;
	memcpy(p, of, size);
	if (n) {
		efi_device_path uri = {DP_MESSAGING, DP_URI, {(u8)n, (u8)(n >> 8)}};
		memcpy(p + size, &uri, sizeof uri);
		memcpy(p + size + sizeof uri, url, n - sizeof uri);
	}
	memcpy(p + size + n, &end, sizeof end);
	return (efi_device_path *)p;
}

static int load(const server *s, const efi_device_path *of, const blob *b, efi_handle *image)
{
	efi_device_path *path = whole_path(of, s);
	efi_status e = path ? boot->load_image(0, self, path, b->bytes, b->size, image) : EFI_OUT_OF_RESOURCES;

	release(path);
	if (!e)
		return 1;
	if (e == EFI_SECURITY_VIOLATION)
		boot->unload_image(*image); // it was loaded all the same (7.4.1)
	if (e == EFI_SECURITY_VIOLATION || e == EFI_ACCESS_DENIED)
		fail("E-DENIED", "Secure Boot does not allow %s of %s: it is not signed with a key of this machine",
		     config.file, s->url);
	else
		fail("E-START", "%s of %s is not a program for this machine: %e", config.file, s->url, e);
	return 0;
}

int start(const server *s, nic *n, blob *b)
{
	const efi_device_path *path = n->path;
	pxe_base_code *pxe = find_pxe(n, &path);
	efi_handle image;
	efi_status e;
	u16 *words = 0;
	u64 size;

	if (!pxe)
		path = n->path;
	e = pxe ? set_packets(pxe, s, n) : EFI_NOT_FOUND;
	if (e)
		say("the firmware's PXE client: %e; the bootstrap will not find there which server is alive", e);
	if (!load(s, path, b, &image))
		return 0;
	blob_free(b);
	say("starting %s from %i", config.file, &s->ip);
	clock_stop();
	boot->set_watchdog_timer(WATCHDOG, 0, 0, 0);
	e = boot->start_image(image, &size, &words);
	boot->set_watchdog_timer(0, 0, 0, 0);
	clock_start();
	release(words);
	if (!e)
		return 1;
	fail("E-START", "%s of %s came back: %e", config.file, s->url, e);
	return -1;
}
