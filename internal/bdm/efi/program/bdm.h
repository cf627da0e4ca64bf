// The parts of the boot program, and what each promises the others.
#ifndef BDM_H
#define BDM_H

#include "pxe.h"

enum {
	MAX_SERVERS = 16,
	MAX_NAMES = 3, // DNS servers
	MAX_NICS = 16,
	MAX_ADDRESSES = 8, // of a server's name
	MAX_FILE = 512 << 20, // a bootstrap is small; this keeps a mad length from taking all memory
};

extern efi_system_table *firmware;
extern efi_boot_services *boot;
extern efi_handle self;

// memory.c
void *memcpy(void *to, const void *from, u64 n);
void *memset(void *to, int c, u64 n);
int same(const void *a, const void *b, u64 n);
u64 length(const char *text);
int begins(const char *text, const char *with);
void *allocate(u64 n); // 0 when there is not enough
void release(void *p);
void put16(u8 *p, u32 v); // in network order
u32 get16(const u8 *p);

// blob is a file that grows while it comes. Its users free it.
typedef struct {
	u8 *bytes;
	u32 size, room;
	u32 whole; // how large it will be, 0: nobody said so
} blob;
int blob_add(blob *b, const void *bytes, u32 n); // 0: no memory for it
void blob_free(blob *b);

// clock.c: tenths of a second since clock_start.
void clock_start(void);
void clock_stop(void);
u64 clock_now(void);
int clock_sleep(u32 tenths); // 1: somebody pressed Esc
int escape(void);	     // the same, without waiting

// say.c: the screen. In the formats %s is text, %u a number, %i an ip4*, %m the six bytes of a MAC
// address, %e an efi_status in words, %t tenths of a second as seconds.
void say(const char *format, ...);			// a line that begins with "BDM: "
void fail(const char *code, const char *format, ...); // a line with a code of docs/troubleshoot.md
void part(const char *format, ...);			// text within a line
void print_into(char *to, u32 room, const char *format, ...);

// settings.c: what \SUREFOOT.CFG says.
typedef struct {
	const char *id, *version, *site, *file;
	const char *servers[MAX_SERVERS];
	u32 server_count;
	u8 sha256[32];
	int has_sha256;
	int is_static;
	ip4 ip, mask, gateway;
	ip4 names[MAX_NAMES];
	u32 name_count;
	u32 vlan, tries, timeout, wait; // the last two in seconds
} settings;
extern settings config;
int settings_read(void); // 0, and it has said why
int settings_parse(char *text, u32 size);

// text.c
const char *read_number(const char *text, u32 *n, u32 most); // behind the number, 0: none
const char *read_ip(const char *text, ip4 *ip);
int hex_digit(char c); // -1: none
ip4 mask_of(u32 bits);

// nic.c: network cards.
typedef struct {
	efi_handle handle;
	const efi_device_path *path;
	efi_snp *snp; // 0: the firmware does not show it
	u8 mac[6];
	ip4 ip, mask, gateway;
	ip4 names[MAX_NAMES];
	u32 name_count;
	packet discover, ack; // ack is what the bootstrap will find, discover only where DHCP was asked
	int has_discover;
} nic;
extern nic nics[MAX_NICS];
extern u32 nic_count;
extern int trust_links;	 // whether a card that tells of no link is left out
void nics_connect(void); // every driver to every device
void nics_find(void);
int nic_has_link(nic *n);
u32 path_size(const efi_device_path *path); // without its end
const efi_device_path *path_find(const efi_device_path *path, u8 type, u8 subtype);

// child.c: a user of one of the firmware's network drivers, and waiting for its tokens.
typedef struct {
	efi_binding *binding;
	efi_handle handle;
	void *protocol;
} child;
efi_status child_open(child *c, efi_handle device, const efi_guid *binding, const efi_guid *protocol);
void child_close(child *c);
efi_status token_open(efi_token *t);
void token_close(efi_token *t);
void token_drop(efi_token *t); // gives back what came and nobody took
typedef efi_status (*poll_function)(void *protocol);
int token_wait(efi_token *t, poll_function poll, void *protocol, u64 until); // 0: time is up

// frame.c: DHCP messages as frames.
typedef struct {
	child child;
	efi_token rx;
	int listening;
} wire;
efi_status wire_open(wire *w, nic *n); // tells the card's MAC address as well
efi_status wire_send(wire *w, const nic *n, const packet *p, u32 size);
int wire_receive(wire *w, packet *p, u64 until); // 0: time is up
void wire_close(wire *w);

// options.c: what a DHCP packet says.
enum {
	OPT_MASK = 1, OPT_ROUTER = 3, OPT_NAMES = 6, OPT_ADDRESS = 50, OPT_LEASE = 51, OPT_OVERLOAD = 52, OPT_TYPE = 53,
	OPT_SERVER_ID = 54, OPT_WANTED = 55, OPT_MAX_SIZE = 57, OPT_CLASS = 60, OPT_SERVER = 66, OPT_FILE = 67,
	OPT_USER_CLASS = 77, OPT_ARCH = 93, OPT_UNDI = 94, OPT_UUID = 97, OPT_END = 255,
};
typedef struct {
	packet *p;
	u32 at; // in raw
} writer;
void packet_begin(writer *w, packet *p);
void packet_option(writer *w, u8 code, const void *value, u32 size);
u32 packet_end(writer *w); // its size
int packet_is_dhcp(const packet *p);
const u8 *packet_find(const packet *p, u8 code, u32 *size);
int packet_ip(const packet *p, u8 code, ip4 *ip); // the first of its addresses

// dhcp.c and lease.c
int dhcp_ask(nic *n, wire *w); // 0, and it has said why
int nic_address(nic *n);	  // by DHCP or from the settings; the same
const u8 *smbios_uuid(void); // smbios.c; 0: there is none

// udp.c
typedef struct {
	child child;
	efi_token rx;
	int listening;
} udp;
efi_status udp_open(udp *u, const nic *n);
efi_status udp_send(udp *u, ip4 to, u32 port, const void *bytes, u32 size, u64 until);
// udp_receive takes the next datagram of somebody: its size, or 0 and the reason.
u32 udp_receive(udp *u, ip4 from, u16 *port, u8 *bytes, u32 room, u64 until, efi_status *why);
void udp_close(udp *u);

// fetch.c: a server of the settings and the file of it.
typedef struct {
	const char *url;
	int http;
	char host[64], path[256]; // path: of the file; without the first slash for TFTP
	u32 port;
	ip4 ip;
} server;
int server_parse(server *s, const char *url);
u32 server_find(const server *s, const nic *n, ip4 *found); // how many addresses it has
int fetch(const server *s, const nic *n, blob *b);	     // from s->ip; 0, and it has said why
void progress(const blob *b);

// The ways to a file. Each returns 0 if it failed, and has said why.
int tftp_get(const server *s, const nic *n, blob *b);
int http_get(const server *s, const nic *n, blob *b);
u32 dns_find(const nic *n, const char *name, ip4 *found); // how many addresses

// sha256.c
void sha256(const void *bytes, u64 n, u8 *sum);

// start.c: 1 if the bootstrap ran and came back well, 0 if not and -1 if it ran and failed.
int start(const server *s, nic *n, blob *b);

#endif
