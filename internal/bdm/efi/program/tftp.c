// A file by TFTP (RFC 1350, 2347 to 2349, 7440). The firmware's own MTFTP4 is not used: it refuses
// to send an option that it does not know (UEFI 2.10 section 30.3.8), and servers are to know this
// program by one.
#include "bdm.h"

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6, PORT = 69 };
// As EDK2's client asks: what servers and switches know. On a VLAN full frames did not reach OVMF, so
// there blocks leave room for the tag.
enum { BLOCK = 1468, TAGGED = 1400, PLAIN = 512, WINDOW = 4 };
enum { BAD_OPTIONS = 8 };

typedef struct {
	const server *s;
	blob *b;
	udp u;
	u16 port; // of the transfer, 0: nobody has answered
	u32 block, window;
	u32 next;  // number of the block to come, which goes on counting where TFTP's begins anew
	u32 since; // blocks since the last ACK
	u32 stray; // blocks in a row that were not the next
	u32 limit; // of one wait, in tenths
} transfer;

static u8 in[4 + BLOCK + 64];

static u32 add(u8 *to, u32 at, u32 room, const char *text)
{
	while (at + 1 < room && *text)
		to[at++] = (u8)*text++;
	to[at++] = 0;
	return at;
}

static efi_status ask(transfer *t, int plain)
{
	u8 out[512];
	char mark[96], size[8];
	u32 n = 2;
	put16(out, RRQ);
	n = add(out, n, 300, t->s->path);
	n = add(out, n, sizeof out, "octet");
	if (!plain) {
		const char *const options[] = {"tsize", "0", "blksize", size, "windowsize", "4", "x-surefoot-bdm", mark};
		print_into(size, sizeof size, "%u", config.vlan ? TAGGED : BLOCK);
		print_into(mark, sizeof mark, "%s/%s", config.id, config.version);
		for (u32 i = 0; i < sizeof options / sizeof *options; i++)
			n = add(out, n, sizeof out, options[i]);
	}
	return udp_send(&t->u, t->s->ip, t->s->port, out, n, clock_now() + t->limit);
}

static void acknowledge(transfer *t, u32 block)
{
	u8 out[4];
	put16(out, ACK);
	put16(out + 2, block);
	udp_send(&t->u, t->s->ip, t->port, out, sizeof out, clock_now() + t->limit);
	t->since = 0;
}

// give_up tells the server that nothing more is wanted.
static void give_up(transfer *t)
{
	static const u8 out[] = {0, ERROR, 0, 0, 'e', 'n', 'o', 'u', 'g', 'h', 0};
	if (t->port)
		udp_send(&t->u, t->s->ip, t->port, out, sizeof out, clock_now() + t->limit);
}

// granted reads an OACK (RFC 2347): 0, if it grants what was not asked.
static int granted(transfer *t, u32 size)
{
	u32 v;
	t->window = 1;
	t->block = PLAIN;
	in[size] = 0;
	for (u32 i = 2; i < size;) {
		const char *name = (const char *)in + i, *value = name + length(name) + 1;
		if ((const u8 *)value >= in + size)
			break;
		i += (u32)(length(name) + length(value) + 2);
		if (begins(name, "x-"))
			continue;
		if (!read_number(value, &v, MAX_FILE))
			return 0;
		switch (name[0] | 32) { // names are without case
		case 't':
			t->b->whole = v;
			break;
		case 'b':
			t->block = v;
			break;
		case 'w':
			t->window = v;
			break;
		}
	}
	return t->block >= 8 && t->block <= BLOCK && t->window && t->window <= WINDOW;
}

// data takes a block: 1 when it was the last one, -1 when there is no memory for it.
static int data(transfer *t, u32 size)
{
	u32 n = size - 4, got = get16(in + 2);
	if (got != (t->next & 0xffff)) {
		// One is missing, or came twice: from the last good one on (RFC 7440 section 4), which is
		// said once a window.
		if (t->stray++ % t->window == 0)
			acknowledge(t, t->next - 1);
		return 0;
	}
	if (n > t->block)
		n = t->block;
	if (!blob_add(t->b, in + 4, n))
		return -1;
	t->next++;
	t->since++;
	t->stray = 0;
	if (n < t->block || t->since >= t->window)
		acknowledge(t, t->next - 1);
	progress(t->b);
	return n < t->block;
}

// run asks once, and goes on for as long as the server does: 1 when all is there, -1 when asking
// again is of no use, -2 when the server does not like options.
static int run(transfer *t, int plain)
{
	u32 quiet = 0;
	efi_status why = ask(t, plain);

	if (why)
		goto failed;
	for (;;) {
		u16 port = 0;
		u32 size = udp_receive(&t->u, t->s->ip, &port, in, sizeof in - 1, clock_now() + t->limit, &why);
		int done;
		if (!size && (!t->port || why != EFI_TIMEOUT || ++quiet > config.tries))
			goto failed;
		if (!size) {
			acknowledge(t, t->next - 1); // the same again, which asks for what is missing
			continue;
		}
		if (size < 4 || (t->port && port != t->port))
			continue;
		switch (get16(in)) {
		case ERROR:
			in[size] = 0;
			if (get16(in + 2) == BAD_OPTIONS && !plain)
				return -2;
			fail("E-TFTP-ERROR", "%s: the server says %u %s", t->s->url, get16(in + 2), (const char *)in + 4);
			return -1;
		case OACK:
			if (t->next > 1 || plain)
				break;
			t->port = port;
			quiet = 0;
			if (!granted(t, size)) {
				fail("E-TFTP-ERROR", "%s: the server grants what was not asked for, or the file is too large",
				     t->s->url);
				give_up(t);
				return -1;
			}
			acknowledge(t, 0);
			break;
		case DATA:
			t->port = port;
			quiet = 0;
			done = data(t, size);
			if (done < 0)
				give_up(t);
			if (done)
				return done;
			break;
		}
	}
failed:
	if (why == EFI_PORT_UNREACHABLE || why == EFI_ICMP_ERROR) {
		fail("E-TFTP-REFUSED", "%s: no TFTP server runs at %i", t->s->url, &t->s->ip);
		return -1;
	}
	if (why == EFI_TIMEOUT)
		fail("E-TFTP-TIMEOUT", "%s: %s from %i", t->s->url, t->port ? "no more blocks" : "no answer", &t->s->ip);
	else
		fail("E-TFTP-TIMEOUT", "%s: %i: %e", t->s->url, &t->s->ip, why);
	return 0;
}

int tftp_get(const server *s, const nic *n, blob *b)
{
	int plain = 0, done = 0;
	for (u32 i = 0; i < config.tries && !done; i++) {
		// A socket for each try: late packets of the former one come to a port that is closed.
		transfer t = {.s = s, .b = b, .block = PLAIN, .next = 1, .window = 1, .limit = config.timeout * 10};
		efi_status e = udp_open(&t.u, n);
		if (e) {
			fail("E-NIC", "UDP on %m: %e", n->mac, e);
			return 0;
		}
		blob_free(b);
		done = run(&t, plain);
		// Who answered and then fell silent may have sent blocks too large for the way.
		if (done == -2 || (!done && t.port && !b->size))
			plain = 1;
		if (done == -2)
			done = 0;
		udp_close(&t.u);
	}
	return done > 0;
}
