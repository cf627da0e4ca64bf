// The PXE Base Code protocol's mode: what the firmware's PXE client keeps of the boot (UEFI 2.10
// section 24.3).
#ifndef PXE_H
#define PXE_H

#include "efi.h"

enum { PACKET_SIZE = 1472 };

// A DHCPv4 packet (RFC 2131 section 2) or, when using_ipv6 is set, a DHCPv6 one (RFC 8415 section 8).
typedef union {
	u8 raw[PACKET_SIZE];
	struct {
		u8 op, htype, hlen, hops;
		u8 xid[4], secs[2], flags[2];
		u8 ciaddr[4], yiaddr[4], siaddr[4], giaddr[4];
		u8 chaddr[16], sname[64], file[128];
		u8 cookie[4];
		u8 options[PACKET_SIZE - 240];
	} v4;
	struct {
		u8 type, xid[3];
		u8 options[PACKET_SIZE - 4];
	} v6;
	u32 align;
} pxe_packet;

typedef struct {
	u8 started, ipv6_available, ipv6_supported, using_ipv6;
	u8 bis_supported, bis_detected, auto_arp, send_guid;
	u8 dhcp_discover_valid, dhcp_ack_received, proxy_offer_received;
	u8 pxe_discover_valid, pxe_reply_received, pxe_bis_reply_received;
	u8 icmp_error_received, tftp_error_received, make_callbacks;
	u8 ttl, tos;
	u32 station_ip[4], subnet_mask[4];
	pxe_packet dhcp_discover, dhcp_ack, proxy_offer, pxe_discover, pxe_reply;
} pxe_mode;

typedef struct {
	u64 revision;
	void *start, *stop, *dhcp, *discover, *mtftp, *udp_write, *udp_read;
	void *set_ip_filter, *arp, *set_parameters, *set_station_ip, *set_packets;
	const pxe_mode *mode;
} pxe_base_code;

_Static_assert(__builtin_offsetof(pxe_mode, station_ip) == 20, "pxe_mode");
_Static_assert(__builtin_offsetof(pxe_mode, dhcp_discover) == 52, "pxe_mode");

#endif
