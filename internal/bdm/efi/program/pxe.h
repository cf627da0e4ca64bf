// A DHCP packet (RFC 2131 section 2), and the PXE Base Code protocol, where firmware keeps such
// packets for the bootstrap (UEFI 2.10 section 24.3).
#ifndef PXE_H
#define PXE_H

#include "net.h"

enum { PACKET_SIZE = 1472 };

typedef union {
	u8 raw[PACKET_SIZE];
	struct {
		u8 op, htype, hlen, hops;
		u8 xid[4], secs[2], flags[2];
		ip4 ciaddr, yiaddr, siaddr, giaddr;
		u8 chaddr[16], sname[64], file[128];
		u8 cookie[4];
		u8 options[PACKET_SIZE - 240];
	};
	u32 align;
} packet;

typedef struct {
	u8 started, ipv6_available, ipv6_supported, using_ipv6;
} pxe_mode;

typedef struct pxe_base_code {
	u64 revision;
	efi_status (*start)(struct pxe_base_code *, u8 ipv6);
	efi_status (*stop)(struct pxe_base_code *);
	void *dhcp, *discover, *mtftp, *udp_write, *udp_read, *set_ip_filter, *arp, *set_parameters;
	efi_status (*set_station_ip)(struct pxe_base_code *, const ip4 *address, const ip4 *mask); // each 16 bytes
	efi_status (*set_packets)(struct pxe_base_code *, const u8 *discover_valid, const u8 *ack_received,
				  const u8 *proxy_received, const u8 *pxe_discover_valid, const u8 *pxe_reply_received,
				  const u8 *bis_received, const packet *discover, const packet *ack, const packet *proxy,
				  const packet *pxe_discover, const packet *pxe_reply, const packet *bis);
	const pxe_mode *mode;
} pxe_base_code;

#define GUID_PXE_BASE_CODE {0x03c4e603, 0xac28, 0x11d3, {0x9a, 0x2d, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}

_Static_assert(sizeof(packet) == PACKET_SIZE, "packet");

#endif
