// The firmware's network protocols as UEFI 2.10 describes them, as far as the program uses them.
#ifndef NET_H
#define NET_H

#include "efi.h"

// 28.1.2: an address in network order, aligned to nothing.
typedef struct {
	u8 b[4];
} ip4;

typedef struct {
	u8 b[32];
} efi_mac;

// 11.1: hands out children of a network driver, one a user.
typedef struct efi_binding {
	efi_status (*create)(struct efi_binding *, efi_handle *child);
	efi_status (*destroy)(struct efi_binding *, efi_handle child);
} efi_binding;

// What sends and receives is asked by a token; the event is signalled when it is done. The tokens
// of MNP, UDP4 and TCP4 look the same (25.1, 30.1.2, 28.1.3).
typedef struct {
	efi_event event;
	efi_status status;
	void *packet;
} efi_token;

typedef struct {
	u32 size;
	const void *bytes;
} efi_fragment;

// 24.1: the network card.
typedef struct {
	u32 state, mac_size, header_size, max_packet;
	u32 nvram[2], filter_mask, filter, max_multicast, multicasts;
	efi_mac multicast[16], current, broadcast, permanent;
	u8 type, mac_changeable, multiple_tx, media_known, media_present;
} efi_snp_mode;

typedef struct efi_snp {
	u64 revision;
	void *start, *stop, *initialize, *reset, *shutdown, *filters, *station, *statistics, *multicast, *nvdata;
	efi_status (*get_status)(struct efi_snp *, u32 *interrupts, void **tx);
	void *transmit, *receive, *wait_for_packet;
	efi_snp_mode *mode;
} efi_snp;

// 25.1: frames, beside the firmware's own users of the card.
typedef struct {
	u32 receive_timeout, transmit_timeout;
	u16 protocol;
	u8 unicast, multicast, broadcast, promiscuous, flush, timestamps, no_background;
} efi_mnp_config;

typedef struct {
	efi_mac *to, *from;
	u16 protocol;
	u32 size;
	u16 header_size, fragments;
	efi_fragment fragment[1];
} efi_mnp_transmit;

typedef struct {
	u8 time[16];
	efi_event recycle;
	u32 packet_size, header_size, address_size, size;
	u8 is_broadcast, is_multicast, is_promiscuous;
	u16 protocol;
	u8 *to, *from, *header, *bytes;
} efi_mnp_receive;

typedef struct efi_mnp {
	efi_status (*get_mode)(struct efi_mnp *, efi_mnp_config *, efi_snp_mode *);
	efi_status (*configure)(struct efi_mnp *, const efi_mnp_config *);
	void *multicast, *groups;
	efi_status (*transmit)(struct efi_mnp *, efi_token *);
	efi_status (*receive)(struct efi_mnp *, efi_token *);
	efi_status (*cancel)(struct efi_mnp *, efi_token *);
	efi_status (*poll)(struct efi_mnp *);
} efi_mnp;

// 30.1
typedef struct {
	u8 broadcast, promiscuous, any_port, duplicate_port, tos, ttl, no_fragment;
	u32 receive_timeout, transmit_timeout;
	u8 use_default;
	ip4 station, mask;
	u16 port;
	ip4 remote;
	u16 remote_port;
} efi_udp4_config;

typedef struct {
	ip4 from;
	u16 from_port;
	ip4 to;
	u16 to_port;
} efi_udp4_session;

typedef struct {
	efi_udp4_session *session;
	ip4 *gateway;
	u32 size, fragments;
	efi_fragment fragment[1];
} efi_udp4_transmit;

typedef struct {
	u8 time[16];
	efi_event recycle;
	efi_udp4_session session;
	u32 size, fragments;
	efi_fragment fragment[1];
} efi_udp4_receive;

typedef struct efi_udp4 {
	void *get_mode;
	efi_status (*configure)(struct efi_udp4 *, const efi_udp4_config *);
	void *groups;
	efi_status (*routes)(struct efi_udp4 *, u8 remove, ip4 *net, ip4 *mask, ip4 *gateway);
	efi_status (*transmit)(struct efi_udp4 *, efi_token *);
	efi_status (*receive)(struct efi_udp4 *, efi_token *);
	efi_status (*cancel)(struct efi_udp4 *, efi_token *);
	efi_status (*poll)(struct efi_udp4 *);
} efi_udp4;

// 28.1
typedef struct {
	u8 tos, ttl;
	struct {
		u8 use_default;
		ip4 station, mask;
		u16 port;
		ip4 remote;
		u16 remote_port;
		u8 active;
	} point;
	void *options;
} efi_tcp4_config;

typedef struct {
	u8 urgent;
	u32 size, fragments;
	struct {
		u32 size;
		void *bytes;
	} fragment[1];
} efi_tcp4_receive;

typedef struct {
	u8 push, urgent;
	u32 size, fragments;
	efi_fragment fragment[1];
} efi_tcp4_transmit;

typedef struct efi_tcp4 {
	void *get_mode;
	efi_status (*configure)(struct efi_tcp4 *, const efi_tcp4_config *);
	efi_status (*routes)(struct efi_tcp4 *, u8 remove, ip4 *net, ip4 *mask, ip4 *gateway);
	efi_status (*connect)(struct efi_tcp4 *, efi_token *); // event and status alone
	void *accept;
	efi_status (*transmit)(struct efi_tcp4 *, efi_token *);
	efi_status (*receive)(struct efi_tcp4 *, efi_token *);
	void *close, *cancel;
	efi_status (*poll)(struct efi_tcp4 *);
} efi_tcp4;

// 27.1
typedef struct efi_vlan {
	efi_status (*set)(struct efi_vlan *, u16 id, u8 priority);
} efi_vlan;

#define GUID_SNP {0xa19832b9, 0xac25, 0x11d3, {0x9a, 0x2d, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define GUID_MNP_BINDING {0xf36ff770, 0xa7e1, 0x42cf, {0x9e, 0xd2, 0x56, 0xf0, 0xf2, 0x71, 0xf4, 0x4c}}
#define GUID_MNP {0x7ab33a91, 0xace5, 0x4326, {0xb5, 0x72, 0xe7, 0xee, 0x33, 0xd3, 0x9f, 0x16}}
#define GUID_UDP4_BINDING {0x83f01464, 0x99bd, 0x45e5, {0xb3, 0x83, 0xaf, 0x63, 0x05, 0xd8, 0xe9, 0xe6}}
#define GUID_UDP4 {0x3ad9df29, 0x4501, 0x478d, {0xb1, 0xf8, 0x7f, 0x7f, 0xe7, 0x0e, 0x50, 0xf3}}
#define GUID_TCP4_BINDING {0x00720665, 0x67eb, 0x4a99, {0xba, 0xf7, 0xd3, 0xc3, 0x3a, 0x1c, 0x7c, 0xc9}}
#define GUID_TCP4 {0x65530bc7, 0xa359, 0x410f, {0xb0, 0x10, 0x5a, 0xad, 0xc7, 0xec, 0x2b, 0x62}}
#define GUID_VLAN {0x9e23d768, 0xd2f3, 0x4366, {0x9f, 0xc3, 0x3a, 0x7a, 0xba, 0x86, 0x43, 0x74}}

_Static_assert(__builtin_offsetof(efi_snp_mode, media_known) == 651, "efi_snp_mode");
_Static_assert(__builtin_offsetof(efi_mnp_transmit, fragment) == 32, "efi_mnp_transmit");
_Static_assert(__builtin_offsetof(efi_mnp_receive, to) == 48, "efi_mnp_receive");
_Static_assert(__builtin_offsetof(efi_udp4_config, station) == 17, "efi_udp4_config");
_Static_assert(__builtin_offsetof(efi_udp4_config, remote_port) == 32, "efi_udp4_config");
_Static_assert(sizeof(efi_udp4_session) == 12, "efi_udp4_session");
_Static_assert(__builtin_offsetof(efi_udp4_receive, fragment) == 48, "efi_udp4_receive");
_Static_assert(__builtin_offsetof(efi_tcp4_config, options) == 24, "efi_tcp4_config");
_Static_assert(__builtin_offsetof(efi_tcp4_receive, fragment) == 16, "efi_tcp4_receive");

#endif
