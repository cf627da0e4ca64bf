// Parts of the boot program as a program of this machine, so that a test can ask them and a sanitizer
// can watch. Each line of stdin is a question, "WORD HEX"; each line of stdout is its answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "../../program/bdm.h"

u32 test_dns(u8 *bytes, u32 size, ip4 *found);
int test_oack(u8 *bytes, u32 size, u32 *block, u32 *window, u32 *whole);
int test_frame(const u8 *bytes, u32 size, packet *p);
void test_ack(packet *to, const server *s, const nic *n);

efi_system_table *firmware;
efi_boot_services *boot;
efi_handle self;

static efi_status give(u32 type, u64 size, void **p)
{
	(void)type;
	*p = malloc(size);
	return *p ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}

static efi_status take_back(void *p)
{
	free(p);
	return EFI_SUCCESS;
}

// settings prints what was read, or what was said instead.
static void settings_of(const u8 *bytes, u32 size)
{
	char *text = calloc(1, size + 1); // as large as it is, so that reading on is seen
	settings none = {.tries = 2, .timeout = 2, .wait = 5};
	memcpy(text, bytes, size);
	config = none;
	if (settings_parse(text, size)) {
		printf("id=%s version=%s site=%s file=%s sha256=%d static=%d ip=%d.%d.%d.%d mask=%d.%d.%d.%d gateway=%d.%d.%d.%d",
		       config.id, config.version, config.site ? config.site : "-", config.file, config.has_sha256,
		       config.is_static, config.ip.b[0], config.ip.b[1], config.ip.b[2], config.ip.b[3], config.mask.b[0],
		       config.mask.b[1], config.mask.b[2], config.mask.b[3], config.gateway.b[0], config.gateway.b[1],
		       config.gateway.b[2], config.gateway.b[3]);
		printf(" dns=%u vlan=%u tries=%u timeout=%u wait=%u", config.name_count, config.vlan, config.tries,
		       config.timeout, config.wait);
		for (u32 i = 0; i < config.server_count; i++) {
			server s;
			int ok = server_parse(&s, config.servers[i]);
			printf(" server=%s,%u,%s", ok ? s.host : "?", ok ? s.port : 0, ok ? s.path : "?");
		}
		printf("\n");
	} else {
		printf("refused\n");
	}
	free(text);
}

static void ack_of(const u8 *bytes, u32 size)
{
	static nic n;
	static packet out;
	static char file[] = "boot/x.efi";
	server s = {.host = "boot.example", .path = "boot/x.efi", .ip = {{10, 0, 0, 9}}};
	memset(&n, 0, sizeof n);
	memcpy(n.ack.raw, bytes, size < PACKET_SIZE ? size : PACKET_SIZE);
	n.has_discover = 1;
	n.ip = n.ack.yiaddr;
	config.file = file;
	test_ack(&out, &s, &n);
	for (u32 i = 0; i < PACKET_SIZE; i++)
		printf("%02x", out.raw[i]);
	printf("\n");
}

static void options_of(packet *p)
{
	ip4 ip;
	printf("dhcp=%d", packet_is_dhcp(p));
	for (int code = 1; code < 255; code++) {
		u32 n;
		const u8 *o = packet_find(p, (u8)code, &n);
		if (!o || code == OPT_OVERLOAD)
			continue;
		printf(" %d=", code);
		for (u32 i = 0; i < n; i++)
			printf("%02x", o[i]);
	}
	packet_ip(p, OPT_ROUTER, &ip);
	printf("\n");
}

static void answer(const char *word, u8 *bytes, u32 size)
{
	ip4 found[MAX_ADDRESSES];
	u32 block, window, whole;
	static packet p;
	u8 sum[32];
	if (!strcmp(word, "sha256")) {
		sha256(bytes, size, sum);
		for (int i = 0; i < 32; i++)
			printf("%02x", sum[i]);
		printf("\n");
	} else if (!strcmp(word, "settings")) {
		settings_of(bytes, size);
	} else if (!strcmp(word, "dns")) {
		u32 n = test_dns(bytes, size, found);
		for (u32 i = 0; i < n; i++)
			printf("%d.%d.%d.%d ", found[i].b[0], found[i].b[1], found[i].b[2], found[i].b[3]);
		printf("\n");
	} else if (!strcmp(word, "oack")) {
		if (test_oack(bytes, size, &block, &window, &whole))
			printf("block=%u window=%u size=%u\n", block, window, whole);
		else
			printf("refused\n");
	} else if (!strcmp(word, "frame")) {
		if (test_frame(bytes, size, &p))
			options_of(&p);
		else
			printf("none\n");
	} else if (!strcmp(word, "ack")) {
		ack_of(bytes, size);
	} else {
		printf("?\n");
	}
}

int main(void)
{
	static char line[1 << 16];
	static efi_boot_services services = {.allocate_pool = give, .free_pool = take_back};
	static efi_system_table table = {.bs = &services};
	firmware = &table; // which has no screen
	boot = &services;
	while (fgets(line, sizeof line, stdin)) {
		char *hex = strchr(line, ' ');
		if (!hex)
			return 1;
		*hex++ = 0;
		u32 size = (u32)strcspn(hex, "\n") / 2;
		u8 *bytes = malloc(size ? size : 1); // exactly as large as it says
		for (u32 i = 0; i < size; i++)
			bytes[i] = (u8)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
		answer(line, bytes, size);
		free(bytes);
		fflush(stdout);
	}
	return 0;
}
