// Who delivered this program: from the packets that the firmware's PXE client keeps, and from the
// device path under which the image was loaded. Every source may be missing (a chain loader may
// offer none of them); what is not known is printed as "-".
#include "program.h"

static const pxe_mode *mode;
static const efi_device_path *mac, *ipv4, *uri, *file;

static const efi_guid pxe_guid = GUID_PXE_BASE_CODE;

static const pxe_mode *mode_of(efi_boot_services *bs, efi_handle handle)
{
	pxe_base_code *pxe = 0;
	if (!handle || bs->handle_protocol(handle, &pxe_guid, (void **)&pxe) || !pxe->mode)
		return 0;
	return pxe->mode->dhcp_ack_received || pxe->mode->proxy_offer_received ? pxe->mode : 0;
}

void delivery_find(efi_system_table *st, efi_handle image, efi_loaded_image *loaded)
{
	static const efi_guid image_path = GUID_LOADED_IMAGE_PATH, device_path = GUID_DEVICE_PATH;
	efi_boot_services *bs = st->bs;
	const efi_device_path *whole = 0;
	efi_handle near = 0;

	bs->handle_protocol(image, &image_path, (void **)&whole);
	if (!whole && loaded->device)
		bs->handle_protocol(loaded->device, &device_path, (void **)&whole);
	mac = path_find(whole, DP_MESSAGING, DP_MAC);
	ipv4 = path_find(whole, DP_MESSAGING, DP_IPV4);
	uri = path_find(whole, DP_MESSAGING, DP_URI);
	file = path_find(loaded->file_path, DP_MEDIA, DP_FILE);

	mode = mode_of(bs, loaded->device);
	if (mode || uri || !whole) // packets of another attempt would be somebody else's story
		return;
	if (!bs->locate_device_path(&pxe_guid, &whole, &near))
		mode = mode_of(bs, near);
}

// last returns the packet that decided: the reply of the boot server, else the proxy's offer, else
// the DHCP ACK.
static const pxe_packet *last(void)
{
	if (!mode)
		return 0;
	return mode->pxe_reply_received ? &mode->pxe_reply :
	       mode->proxy_offer_received ? &mode->proxy_offer : &mode->dhcp_ack;
}

static void report_packet(const char *name, const pxe_packet *p, int there)
{
	if (there && mode->using_ipv6)
		put_packet6(name, p);
	else if (there)
		put_packet(name, p);
}

// chained reports whether DHCP named another file than this one: then a chain loader has fetched
// this one, perhaps from somewhere else. Only such loaders put a file name into the path.
static int chained(void)
{
	u32 size, from = 0, i;
	const pxe_packet *p = last();
	const u8 *name = p && !mode->using_ipv6 ? packet_file(p, &size) : 0;
	const u8 *own = (const u8 *)(file + 1);
	if (!file || !name)
		return 0;
	for (i = 0; i < size && name[i]; i++)
		if (name[i] == '/' || name[i] == '\\')
			from = i + 1;
	for (i = from; i < size && name[i] && name[i] == own[2 * (i - from)]; i++)
		;
	return (i < size && name[i]) || own[2 * (i - from)];
}

void delivery_report(void)
{
	const u8 *address = mac ? (const u8 *)(mac + 1) : mode && !mode->using_ipv6 ? mode->dhcp_ack.v4.chaddr : 0;
	put("\nmac: ");
	if (address)
		put_hex(address, 6, ':');
	else
		put("-");
	put("\nloaded by: ");
	put(uri ? "URL " : chained() ? "a chain loader, behind PXE" : mode ? "PXE" : "neither PXE nor URL, as far as the firmware tells");
	if (uri)
		put_text((const u8 *)(uri + 1), path_length(uri) - sizeof *uri);
	put("\n");
	if (!mode)
		return;
	report_packet("dhcp-ack", &mode->dhcp_ack, mode->dhcp_ack_received);
	report_packet("proxy-offer", &mode->proxy_offer, mode->proxy_offer_received);
	report_packet("pxe-reply", &mode->pxe_reply, mode->pxe_reply_received);
}

// put_client prints the machine's own address.
static void put_client(void)
{
	const u8 *local = ipv4 ? (const u8 *)(ipv4 + 1) : 0; // 10.3.4.12: the local address comes first
	if (mode && mode->using_ipv6)
		put_ip6((const u8 *)mode->station_ip);
	else if (mode && mode->station_ip[0])
		put_ip((const u8 *)mode->station_ip);
	else if (mode && mode->dhcp_ack_received)
		put_ip(mode->dhcp_ack.v4.yiaddr);
	else if (local && local[0])
		put_ip(local);
	else
		put("-");
}

// put_url_server prints the host of a URL: what is between "//" and the next "/" or ":", or the
// brackets around an IPv6 address.
static void put_url_server(const u8 *url, u32 size)
{
	u32 from = 0, to;
	int bracket = 0;
	while (from + 1 < size && !(url[from] == '/' && url[from + 1] == '/'))
		from++;
	from += 2;
	for (to = from; to < size && url[to] != '/' && (bracket || url[to] != ':'); to++)
		bracket = url[to] == '[' || (bracket && url[to] != ']');
	if (from < to)
		put_text(url + from, to - from);
	else
		put("-");
}

void delivery_final(void)
{
	const pxe_packet *p = last();
	const u8 *url = 0, *server = 0, *name = 0;
	u32 url_size = 0, size = 0;

	if (uri) {
		url = (const u8 *)(uri + 1);
		url_size = path_length(uri) - sizeof *uri;
	} else if (p && mode->using_ipv6) {
		url = packet_option6(p, 59, &url_size);
	} else if (p) {
		server = packet_server(p);
		name = packet_file(p, &size);
	}
	put(" ip=");
	put_client();
	put(" server=");
	if (url)
		put_url_server(url, url_size);
	else if (server)
		put_ip(server);
	else
		put("-");
	put(url ? " url=" : " file=");
	if (url)
		put_text(url, url_size);
	else if (file) // a chain loader's own word for it is nearer the truth than DHCP's
		put_text16((const u8 *)(file + 1), path_length(file) - sizeof *file);
	else if (name)
		put_text(name, size);
	else
		put("-");
}

void delivery_note(void)
{
	if (chained() && !uri)
		put("DHCP named another file, so a chain loader (iPXE?) fetched this one itself:\n"
		    "server is what DHCP said, not what it used.\n");
}
