// A server's URL, and the file that it has: downloaded, and compared with the hash of the settings.
#include "bdm.h"

static void host(server *s, const char *text, u32 n)
{
	if (n >= sizeof s->host)
		n = 0;
	memcpy(s->host, text, n);
	s->host[n] = 0;
}

// server_parse reads "tftp://HOST[:PORT]/FOLDER/", and puts the file's name behind it.
int server_parse(server *s, const char *url)
{
	const char *rest, *end;

	memset(s, 0, sizeof *s);
	s->url = url;
	s->http = begins(url, "http://");
	s->port = s->http ? 80 : 69;
	if (!s->http && !begins(url, "tftp://"))
		goto bad;
	rest = url + 7;
	for (end = rest; *end && *end != ':' && *end != '/'; end++)
		;
	host(s, rest, (u32)(end - rest));
	if (!s->host[0] || s->host[0] == '[') // IPv6 is not done yet
		goto bad;
	if (*end == ':')
		end = read_number(end + 1, &s->port, 0xffff);
	if (!end || (*end && *end != '/') || !s->port)
		goto bad;
	while (*end == '/')
		end++;
	if (length(end) + length(config.file) + 3 > sizeof s->path)
		goto bad;
	print_into(s->path, sizeof s->path, "%s%s%s%s", s->http ? "/" : "", end,
		   *end && end[length(end) - 1] != '/' ? "/" : "", config.file);
	return 1;
bad:
	fail("E-CFG", "%s: not a URL that this program can fetch from", url);
	return 0;
}

// progress says at each tenth of the file how far it is, or a dot for a while of one whose size
// nobody told.
void progress(const blob *b)
{
	static u32 said, last;
	u32 now = b->whole ? (u32)(10ULL * b->size / b->whole) : b->size >> 18;
	if (b->size < last)
		said = 0;
	last = b->size;
	if (now <= said)
		return;
	said = now;
	if (b->whole && now < 10)
		part("%u%% ", now * 10);
	else if (!b->whole)
		part(".");
}

u32 server_find(const server *s, const nic *n, ip4 *found)
{
	const char *end = read_ip(s->host, found);
	return end && !*end ? 1 : dns_find(n, s->host, found);
}

int fetch(const server *s, const nic *n, blob *b)
{
	u64 began = clock_now();
	u8 sum[32];

	say("asking %s (%i) for %s", s->url, &s->ip, s->path);
	if (!(s->http ? http_get(s, n, b) : tftp_get(s, n, b)))
		return 0;
	say("%u bytes in %t s", b->size, (u32)(clock_now() - began));
	if (!config.has_sha256)
		return 1;
	sha256(b->bytes, b->size, sum);
	if (same(sum, config.sha256, sizeof sum))
		return 1;
	fail("E-HASH", "%s: %s is not the file that this medium was made for", s->url, config.file);
	return 0;
}
