/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few words of the kernel's interface that dsr.c needs (bpf-helpers(7), linux/bpf.h), written down here so
 * that the object needs no headers but these and comes out the same everywhere.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define inline __attribute__((always_inline)) inline
#define be16(x) ((u16)__builtin_bswap16(x)) /* the object is little-endian */

/* How maps are declared (libbpf's BTF-defined maps). */
#define kind(name) int(*type)[name]
#define number(field, val) int(*field)[val]
#define sort(field, val) val *field

enum { ARRAY = 2, PERCPU_ARRAY = 6, HASH = 1, LRU_HASH = 9, ARRAY_OF_MAPS = 12 };

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

enum { XDP_DROP = 1, XDP_PASS = 2, XDP_TX = 3 };
enum { TCX_NEXT = -1, TCX_DROP = 2 };

/*
 * None of these is reserved for programs under the GPL (gpl_only is false for each in kernel/bpf/helpers.c and
 * net/core/filter.c): the kernel loads this object under its true licence.
 */
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*load_skb)(const struct __sk_buff *skb, u32 at, void *to, u32 len) = (void *)26;
static long (*load_xdp)(const struct xdp_md *xdp, u32 at, void *to, u32 len) = (void *)189;
static long (*pull)(struct __sk_buff *skb, u32 len) = (void *)39;
static u64 (*clock_coarse)(void) = (void *)160;
static u64 (*frame_length)(struct xdp_md *xdp) = (void *)188;
