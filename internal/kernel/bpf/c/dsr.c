// SPDX-License-Identifier: Apache-2.0
/*
 * Direct server return: every packet to a service's address goes on to one of its backends, out of the interface
 * that it came in by, with two MAC addresses changed and nothing else. The backend has the service's address as
 * well, and answers the client itself.
 *
 * One way of deciding, two programs: dsr_xdp in the driver, dsr_tcx behind it (no cures needed on virtual
 * interfaces). What to do is written by user space into `services`, as a whole and in one step. Which backend a
 * client gets is computed as in internal/lb (hash.go, deal.go): tests hold the two together.
 */
#include "kernel.h"

/* No helper is used that asks for the GPL, see kernel.h. */
char LICENSE[] SEC("license") = "Apache-2.0";

#define BACKENDS 64  /* of a service */
#define SLOTS 16384  /* of a service's table */
#define COUNTERS 1024 /* of backends, all services together */
#define PORTS 8      /* of a service */

#define MS 1000000ull
#define RETRY_FROM (100 * MS)  /* sooner, it is the network that doubled the frame */
#define RETRY_TO (60000 * MS) /* later, it is another boot */

struct addr {
	u64 a[2]; /* as in a packet; IPv4 as ::ffff:a.b.c.d */
};

enum { ALIVE = 1, DRAINED = 2, LOCAL = 4 };

struct backend {
	u8 mac[6];
	u8 flags;
	u8 next;     /* the place of the living one after it */
	u32 id;      /* of its name: another backend at this place has another one */
	u16 counter; /* its place in counts */
	u8 sender;   /* the next place, plus 1, of those in the same chain of senders; 0: there is none */
	u8 spare;
};

enum { BY_HASH, BY_TURN };

struct port {
	u8 protocol;
	u8 spare;
	u16 number;
};

struct service {
	u8 mac[6]; /* of the interface: a frame for somebody else is not ours */
	u8 active; /* this node has the address */
	u8 by;
	u16 port; /* of requests (RFC 1350) */
	u16 ports; /* how many of only are in use; 0: every packet to the address is balanced */
	struct port only[PORTS];
	u32 backends;
	u32 slots;   /* how many of slot are in use; 0: nobody is there to take a packet */
	u32 turn;    /* its place in turns */
	u64 timeout; /* how long a silent client keeps its backend, ns */
	u8 senders[256]; /* chains of backends by their MAC, see balanced: a place plus 1 */
	struct backend backend[BACKENDS];
	u8 slot[SLOTS];
};

struct client {
	struct addr service, from;
};

struct kept {
	u64 seen;  /* its last packet */
	u64 asked; /* its request, if nothing came after it; else 0 */
	u32 id;    /* of the backend */
	u16 port;  /* that it asked from */
	u8 backend;
	u8 tries; /* how often it repeated the request */
};

struct count {
	u64 packets, bytes, requests, retries, clients;
};

struct meta {
	u32 layout;
	u8 sum[32];
};

/* Why a packet did not go to a backend. The names are in reason.go, in this order. */
enum {
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	OTHER_ADDRESS,
	OTHER_MAC,
	STANDBY,
	NEIGHBOUR,
	SPOOFED,
	BALANCED,
	NO_BACKEND,
	OTHER_PORT,
	REASONS,
};

struct services_of {
	kind(HASH);
	number(max_entries, 128);
	number(map_flags, 1); /* BPF_F_NO_PREALLOC: a service is 17 KiB */
	number(key_size, sizeof(struct addr)); /* clang leaves the types of an inner map out */
	number(value_size, sizeof(struct service));
};

struct {
	kind(ARRAY_OF_MAPS);
	number(max_entries, 1);
	sort(key, u32);
	__attribute__((unused)) struct services_of *values[];
} services SEC(".maps");

struct {
	kind(LRU_HASH);
	number(max_entries, 65536);
	sort(key, struct client);
	sort(value, struct kept);
} clients SEC(".maps");

struct {
	kind(PERCPU_ARRAY);
	number(max_entries, COUNTERS);
	sort(key, u32);
	sort(value, struct count);
} counts SEC(".maps");

struct {
	kind(PERCPU_ARRAY);
	number(max_entries, REASONS);
	sort(key, u32);
	sort(value, u64);
} reasons SEC(".maps");

struct {
	kind(ARRAY);
	number(max_entries, COUNTERS);
	sort(key, u32);
	sort(value, u64);
} turns SEC(".maps");

/* Which object made the maps; only user space reads and writes it. */
struct {
	kind(ARRAY);
	number(max_entries, 1);
	sort(key, u32);
	sort(value, struct meta);
} about SEC(".maps");

/* ---- what is in a packet ---- */

enum { OTHER, REQUEST, CONNECT, FRAGMENT };

struct packet {
	struct addr from, to;
	u32 what;
	u16 port;
	u16 at; /* the port that was asked */
	u8 protocol;
	u8 icmp; /* type */
	u8 about; /* it tells of a packet of a backend's */
};

enum { TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58 };

static inline void four(struct addr *a, const void *p)
{
	a->a[0] = 0;
	a->a[1] = (u64) * (const u32 *)p << 32 | 0xffff0000;
}

static inline void six(struct addr *a, const void *p)
{
	/* Packets are aligned to 2 or 4 bytes: read as such. */
	const u32 *w = p;
	a->a[0] = w[0] | (u64)w[1] << 32;
	a->a[1] = w[2] | (u64)w[3] << 32;
}

static inline int same(const struct addr *x, const struct addr *y)
{
	return x->a[0] == y->a[0] && x->a[1] == y->a[1];
}

/*
 * What stands at a place of the frame is copied, by whichever program it is: pointers into packets at variable places
 * would take CAP_PERFMON. Not zero: there is not so much.
 */
struct frame {
	void *ctx;
	int xdp; /* known when compiling */
};

static inline long load(const struct frame *f, u32 at, void *to, u32 len)
{
	return f->xdp ? load_xdp(f->ctx, at, to, len) : load_skb(f->ctx, at, to, len);
}

/* An ICMP error tells of a packet that a backend sent: it belongs to whom that was for, not to the router that tells. */
static inline void error_of(struct packet *p, const struct frame *f, u32 at, int is6)
{
	struct addr from, to;
	u32 w[8];
	if (!is6) {
		if (p->icmp != 3 && p->icmp != 11 && p->icmp != 12) /* RFC 792 */
			return;
		if (load(f, at + 8 + 12, w, 8))
			return;
		four(&from, w);
		four(&to, w + 1);
	} else {
		if (p->icmp < 1 || p->icmp > 4) /* RFC 4443 */
			return;
		if (load(f, at + 8 + 8, w, 32))
			return;
		six(&from, w);
		six(&to, w + 4);
	}
	if (same(&from, &p->to)) {
		p->from = to;
		p->about = 1;
	}
}

static inline void transport(struct packet *p, const struct frame *f, u32 at, int is6)
{
	u8 b[14];
	if (p->protocol == UDP) {
		if (load(f, at, b, 10))
			return;
		p->port = *(u16 *)b;
		p->at = *(u16 *)(b + 2);
		if (b[8] == 0 && (b[9] == 1 || b[9] == 2)) /* RRQ, WRQ: RFC 1350 section 5 */
			p->what = REQUEST;
	} else if (p->protocol == TCP) {
		if (load(f, at, b, 14))
			return;
		p->at = *(u16 *)(b + 2);
		if ((b[13] & 0x17) == 0x02) /* SYN without ACK, RST, FIN */
			p->what = CONNECT;
	} else if (p->protocol == (is6 ? ICMP6 : ICMP)) {
		if (load(f, at, b, 2))
			return;
		p->icmp = b[0];
		error_of(p, f, at, is6);
	}
}

/* RFC 791. Options are skipped, checksums are the backend's business. length is of the frame from here on. */
static inline int ipv4(struct packet *p, const struct frame *f, u32 at, u32 length)
{
	u32 w[5];
	const u8 *ip = (const u8 *)w;
	if (load(f, at, w, 20))
		return TRUNCATED;
	u32 header = (ip[0] & 15) * 4, total = be16(*(const u16 *)(ip + 2));
	if (ip[0] >> 4 != 4 || header < 20 || total < header)
		return BAD_HEADER;
	if (total > length)
		return TRUNCATED;
	four(&p->from, w + 3);
	four(&p->to, w + 4);
	p->protocol = ip[9];
	if (be16(*(const u16 *)(ip + 6)) & 0x1fff)
		p->what = FRAGMENT;
	else
		transport(p, f, at + header, 0);
	return -1;
}

/* RFC 8200. What stands behind more than six extension headers is forwarded without a look into it. */
static inline int ipv6(struct packet *p, const struct frame *f, u32 at, u32 length)
{
	u32 w[10];
	const u8 *ip = (const u8 *)w;
	if (load(f, at, w, 40))
		return TRUNCATED;
	if (ip[0] >> 4 != 6)
		return BAD_HEADER;
	if (40u + be16(*(const u16 *)(ip + 4)) > length)
		return TRUNCATED;
	six(&p->from, w + 2);
	six(&p->to, w + 6);
	u8 next = ip[6];
	at += 40;
#pragma unroll
	for (int i = 0; i < 6; i++) {
		u8 h[4];
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60 && next != 135)
			break;
		if (load(f, at, h, 4)) {
			p->what = FRAGMENT; /* not known, which is the same to us */
			return -1;
		}
		if (next == 44) { /* section 4.5 */
			if (be16(*(const u16 *)(h + 2)) & 0xfff8) {
				p->what = FRAGMENT;
				return -1;
			}
			at += 8;
		} else if (next == 51) {
			at += (h[1] + 2) * 4; /* RFC 4302 */
		} else {
			at += (h[1] + 1) * 8;
		}
		next = h[0];
	}
	p->protocol = next;
	transport(p, f, at, 1);
	return -1;
}

static inline int parse(struct packet *p, const struct frame *f, const u8 *eth, u32 length)
{
	u32 at = 14;
	u16 type = *(const u16 *)(eth + 12);
#pragma unroll
	for (int i = 0; i < 2; i++) { /* IEEE 802.1Q, 802.1ad */
		u16 tag[2];
		if (type != be16(0x8100) && type != be16(0x88a8))
			break;
		if (load(f, at, tag, 4))
			return NOT_IP;
		type = tag[1];
		at += 4;
	}
	if (length < at)
		return NOT_IP;
	if (type == be16(0x0800))
		return ipv4(p, f, at, length - at);
	if (type == be16(0x86dd))
		return ipv6(p, f, at, length - at);
	return NOT_IP;
}

/* ---- who gets it: internal/lb/deal.go computes the same ---- */

static inline u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline u64 hash(const struct addr *a)
{
	return mix(mix(a->a[0]) ^ a->a[1]);
}

static inline u32 by_hash(const struct service *s, u64 h)
{
	return s->slot[((h >> 32) * s->slots >> 32) & (SLOTS - 1)] & (BACKENDS - 1);
}

static inline u32 first(const struct service *s, u64 h)
{
	if (s->by == BY_TURN) {
		u32 at = s->turn;
		u64 *turn = lookup(&turns, &at);
		if (turn)
			return s->slot[__sync_fetch_and_add(turn, 1) % s->slots & (SLOTS - 1)] & (BACKENDS - 1);
	}
	return by_hash(s, h);
}

/* Somebody else than not: for a first repetition spread by the hash, for more of them each in turn. */
static inline u32 other(const struct service *s, u64 h, u32 not, u32 tries)
{
	if (tries <= 1)
#pragma unroll
		for (u32 k = 1; k <= 4; k++) {
			u32 i = by_hash(s, mix(h + k));
			if (i != not)
				return i;
		}
	return s->backend[not & (BACKENDS - 1)].next & (BACKENDS - 1);
}

/* ---- the decision ---- */

/*
 * Whether a packet is one that the service takes. What belongs to a transfer has a port that nobody knows
 * beforehand: it is taken from whoever has a backend.
 */
static inline int takes(const struct service *s, const struct packet *p, int known)
{
	if (!s->ports)
		return 1;
	if (known && (p->protocol == UDP || p->what == FRAGMENT || p->about))
		return 1;
	int hit = 0;
#pragma unroll
	for (int i = 0; i < PORTS; i++)
		hit |= i < s->ports && s->only[i].protocol == p->protocol && s->only[i].number == p->at;
	return hit && p->what != FRAGMENT;
}

static inline int equal(const u8 *x, const u8 *y)
{
	return *(const u16 *)x == *(const u16 *)y && *(const u16 *)(x + 2) == *(const u16 *)(y + 2) && *(const u16 *)(x + 4) == *(const u16 *)(y + 4);
}

/*
 * Whether the frame comes from a backend: another balancer, which is a backend as well, sent it here, and it would
 * go round for ever, since nobody counts its TTL down.
 */
static inline int balanced(const struct service *s, const u8 *mac)
{
	u32 at = s->senders[mac[3] ^ mac[4] ^ mac[5]];
	int hit = 0;
#pragma unroll /* without CAP_PERFMON the kernel takes no loop here: it fears speculation */
	for (int i = 0; i < 4; i++) { /* more in one chain are not looked for */
		const struct backend *b = &s->backend[(at - 1) & (BACKENDS - 1)];
		hit |= at && equal(b->mac, mac);
		at = at ? b->sender : 0;
	}
	return hit;
}

enum { PASS, DROP, SEND };

static inline int refuse(u32 why, int verdict)
{
	u64 *n = lookup(&reasons, &why);
	if (n)
		++*n;
	return verdict;
}

static inline int decide(const struct frame *f, void *data, void *end, u32 length)
{
	struct packet p = {};
	u8 *eth = data;
	if ((void *)(eth + 14) > end)
		return refuse(NOT_IP, PASS);
	int why = parse(&p, f, eth, length);
	if (why >= 0)
		return refuse(why, PASS);
	u32 zero = 0;
	void *inner = lookup(&services, &zero);
	if (!inner)
		return refuse(OTHER_ADDRESS, PASS);
	struct service *s = lookup(inner, &p.to);
	if (!s)
		return refuse(OTHER_ADDRESS, PASS);
	if (!equal(eth, s->mac))
		return refuse(OTHER_MAC, PASS);
	if (!s->active)
		return refuse(STANDBY, PASS);
	if (p.protocol == ICMP6 && p.icmp >= 133 && p.icmp <= 137) /* RFC 4861: about the address itself */
		return refuse(NEIGHBOUR, PASS);
	if (same(&p.from, &p.to))
		return refuse(SPOOFED, DROP);
	if (balanced(s, eth + 6))
		return refuse(BALANCED, PASS);
	if (!s->slots)
		return refuse(NO_BACKEND, PASS);

	u64 now = clock_coarse(), h = hash(&p.from);
	int asks = p.what == REQUEST && p.at == s->port, retry = 0, fresh = 0;
	struct client key = {p.to, p.from};
	struct kept *k = lookup(&clients, &key);
	if (!takes(s, &p, k != 0))
		return refuse(OTHER_PORT, PASS);
	u32 i;
	if (k && now - k->seen < s->timeout && k->backend < s->backends && s->backend[k->backend & (BACKENDS - 1)].id == k->id &&
	    s->backend[k->backend & (BACKENDS - 1)].flags & (ALIVE | DRAINED)) {
		i = k->backend & (BACKENDS - 1);
		if (asks) {
			u64 since = now - k->asked;
			retry = k->asked && k->port == p.port && since >= RETRY_FROM && since < RETRY_TO;
			if (retry) {
				u32 tries = k->tries + 1;
				i = other(s, h, i, tries) & (BACKENDS - 1);
				k->backend = i;
				k->id = s->backend[i].id;
				k->tries = tries < 255 ? tries : 255;
			} else if (!(k->asked && k->port == p.port && since < RETRY_FROM)) {
				k->tries = 0;
			}
			k->asked = now;
			k->port = p.port;
		} else if (p.what != FRAGMENT) {
			k->asked = 0;
		}
		k->seen = now;
	} else {
		fresh = 1;
		i = first(s, h) & (BACKENDS - 1);
		struct kept made = {
			.seen = now, .asked = asks ? now : 0, .id = s->backend[i].id, .port = asks ? p.port : 0, .backend = i};
		update(&clients, &key, &made, 0); /* where it fails, the hash says the same the next time */
	}

	struct backend *b = &s->backend[i];
	u32 at = b->counter;
	struct count *c = lookup(&counts, &at);
	if (c) {
		c->packets++;
		c->bytes += length;
		c->requests += asks || p.what == CONNECT;
		c->retries += retry;
		c->clients += fresh;
	}
	if (b->flags & LOCAL) /* this node is a backend, too */
		return PASS;
	u16 *to = (u16 *)eth, *own = (u16 *)s->mac, *mac = (u16 *)b->mac;
	to[0] = mac[0], to[1] = mac[1], to[2] = mac[2];
	to[3] = own[0], to[4] = own[1], to[5] = own[2];
	return SEND;
}

SEC("xdp.frags")
int dsr_xdp(struct xdp_md *ctx)
{
	struct frame f = {ctx, 1};
	u32 length = frame_length(ctx);
	switch (decide(&f, (void *)(long)ctx->data, (void *)(long)ctx->data_end, length)) {
	case SEND:
		return XDP_TX;
	case DROP:
		return XDP_DROP;
	}
	return XDP_PASS;
}

SEC("tcx/ingress")
int dsr_tcx(struct __sk_buff *skb)
{
	struct frame f = {skb, 0};
	if ((void *)(long)skb->data + 14 > (void *)(long)skb->data_end)
		pull(skb, 14);
	switch (decide(&f, (void *)(long)skb->data, (void *)(long)skb->data_end, skb->len)) {
	case SEND:
		return redirect(skb->ifindex, 0);
	case DROP:
		return TCX_DROP;
	}
	return TCX_NEXT;
}
