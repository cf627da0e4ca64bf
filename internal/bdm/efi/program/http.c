// A file by HTTP, over the firmware's TCP4 (UEFI 2.10 section 28.1). The firmware's own HTTP is not
// used: it is missing where HTTP boot is, is often told to allow https only, and has no way to name
// a gateway. HTTP/1.0 is asked for, since its answers come in one piece (RFC 9112 section 6.1).
#include "bdm.h"

typedef struct {
	child child;
	efi_tcp4 *p;
	u64 patience; // of one wait, in tenths
} tcp;

typedef efi_status (*call)(efi_tcp4 *, efi_token *);

// await has something done, and its outcome.
static efi_status await(tcp *t, call f, void *packet)
{
	efi_token token;
	efi_status s = token_open(&token);
	if (s)
		return s;
	token.packet = packet;
	s = f(t->p, &token);
	if (!s && !token_wait(&token, (poll_function)t->p->poll, t->p, clock_now() + t->patience)) {
		t->p->configure(t->p, 0); // lets go of the token, which TCP4 of older EDK2 cannot cancel
		s = EFI_TIMEOUT;
	} else if (!s) {
		s = token.status;
	}
	token_close(&token);
	return s;
}

static void tcp_close(tcp *t)
{
	if (t->p)
		t->p->configure(t->p, 0); // a reset, if it is still open
	child_close(&t->child);
	t->p = 0;
}

static efi_status tcp_open(tcp *t, const server *s, const nic *n)
{
	static const efi_guid binding = GUID_TCP4_BINDING, protocol = GUID_TCP4;
	static ip4 anywhere;
	efi_tcp4_config setup = {.ttl = 64};
	ip4 gateway = n->gateway;
	efi_status e = child_open(&t->child, n->handle, &binding, &protocol);

	if (e)
		return e;
	t->p = t->child.protocol;
	setup.point.station = n->ip;
	setup.point.mask = n->mask;
	setup.point.remote = s->ip;
	setup.point.remote_port = (u16)s->port;
	setup.point.active = 1;
	e = t->p->configure(t->p, &setup);
	if (!e && !same(&gateway, &anywhere, 4))
		t->p->routes(t->p, 0, &anywhere, &anywhere, &gateway);
	if (!e)
		e = await(t, t->p->connect, 0);
	if (e)
		tcp_close(t);
	return e;
}

static efi_status tcp_send(tcp *t, const void *bytes, u32 size)
{
	efi_tcp4_transmit tx = {.push = 1, .size = size, .fragments = 1, .fragment = {{size, bytes}}};
	return await(t, t->p->transmit, &tx);
}

static efi_status tcp_receive(tcp *t, void *bytes, u32 room, u32 *size)
{
	efi_tcp4_receive rx = {.size = room, .fragments = 1, .fragment = {{room, bytes}}};
	efi_status s = await(t, t->p->receive, &rx);
	*size = s ? 0 : rx.size;
	return s;
}

static u8 in[8192];

// field finds the value of a header field, whose name is given in small letters.
static const char *field(const char *head, const char *name)
{
	for (; *head; head++) {
		u64 i = 0;
		if (*head != '\n')
			continue;
		while (name[i] && (head[1 + i] | 32) == name[i])
			i++;
		if (name[i] || head[1 + i] != ':')
			continue;
		for (head += i + 2; *head == ' '; head++)
			;
		return head;
	}
	return 0;
}

// head_end finds the end of the head: the empty line.
static u32 head_end(u32 n)
{
	for (u32 i = 3; i < n; i++)
		if (same(in + i - 3, "\r\n\r\n", 4))
			return i + 1;
	return 0;
}

static int failed(const server *s, efi_status why)
{
	fail("E-HTTP", "%s: %i port %u: %e", s->url, &s->ip, s->port, why);
	return 0;
}

// body is what follows the head; some of it has come with it.
static int body(tcp *t, const server *s, blob *b, u32 from, u32 have)
{
	efi_status e = EFI_SUCCESS;
	for (;;) {
		if (have > from && !blob_add(b, in + from, have - from))
			return 0;
		progress(b);
		if (b->whole && b->size >= b->whole) {
			b->size = b->whole;
			return 1;
		}
		if (e == EFI_CONNECTION_FIN)
			break;
		from = 0;
		e = tcp_receive(t, in, sizeof in, &have);
		if (e && e != EFI_CONNECTION_FIN)
			return failed(s, e);
	}
	if (!b->whole && b->size)
		return 1;
	fail("E-HTTP", "%s: the server stopped after %u bytes of %u", s->url, b->size, b->whole);
	return 0;
}

static int answer(tcp *t, const server *s, blob *b)
{
	u32 n = 0, got, end, code;
	const char *number;
	efi_status e;

	do {
		if (n == sizeof in - 1)
			return failed(s, EFI_PROTOCOL_ERROR);
		if ((e = tcp_receive(t, in + n, (u32)sizeof in - 1 - n, &got)))
			return failed(s, e);
		n += got;
		end = head_end(n);
	} while (!end);
	in[end - 1] = 0;
	number = (const char *)in;
	while (*number && *number != ' ')
		number++;
	if (!begins((const char *)in, "HTTP/") || !*number || !read_number(number + 1, &code, 999))
		return failed(s, EFI_PROTOCOL_ERROR);
	if (code != 200) {
		fail("E-HTTP", "%s: the server answers %u for %s", s->url, code, s->path);
		return 0;
	}
	number = field((const char *)in, "content-length");
	if (number && !read_number(number, &b->whole, MAX_FILE)) {
		fail("E-HTTP", "%s: the file is larger than %u bytes", s->url, MAX_FILE);
		return 0;
	}
	return body(t, s, b, end, n);
}

int http_get(const server *s, const nic *n, blob *b)
{
	static char head[1024]; // lines of the settings have 200 bytes at most
	tcp t = {.patience = config.timeout * 10 * config.tries};
	efi_status e = tcp_open(&t, s, n);
	int ok;

	if (e == EFI_UNSUPPORTED) {
		fail("E-HTTP", "%s: this firmware has no TCP", s->url);
		return 0;
	}
	if (e)
		return failed(s, e);
	print_into(head, sizeof head, "GET %s HTTP/1.0\r\nHost: %s:%u\r\nUser-Agent: Surefoot-BDM/%s (%s)\r\n\r\n", s->path,
		   s->host, s->port, config.version, config.id);
	e = tcp_send(&t, head, (u32)length(head));
	ok = e ? failed(s, e) : answer(&t, s, b);
	tcp_close(&t);
	return ok;
}
