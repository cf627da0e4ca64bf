// Bytes, words and memory. The compiler calls memcpy and memset for copies of structures.
#include "bdm.h"

void *memcpy(void *to, const void *from, u64 n)
{
	for (u64 i = 0; i < n; i++)
		((u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

void *memset(void *to, int c, u64 n)
{
	for (u64 i = 0; i < n; i++)
		((u8 *)to)[i] = (u8)c;
	return to;
}

int same(const void *a, const void *b, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (((const u8 *)a)[i] != ((const u8 *)b)[i])
			return 0;
	return 1;
}

u64 length(const char *text)
{
	u64 n = 0;
	while (text[n])
		n++;
	return n;
}

int begins(const char *text, const char *with)
{
	for (; *with; text++, with++)
		if (*text != *with)
			return 0;
	return 1;
}

void *allocate(u64 n)
{
	void *p = 0;
	return boot->allocate_pool(LOADER_DATA, n, &p) ? 0 : p;
}

void release(void *p)
{
	if (p)
		boot->free_pool(p);
}

void put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

u32 get16(const u8 *p) { return p[0] << 8 | p[1]; }

// blob_room makes room for so many bytes in all.
static int blob_room(blob *b, u32 room)
{
	u8 *more = room > MAX_FILE ? 0 : allocate(room);
	if (!more) {
		fail("E-MEM", "no memory for a file of %u bytes", room);
		return 0;
	}
	memcpy(more, b->bytes, b->size);
	release(b->bytes);
	b->bytes = more;
	b->room = room;
	return 1;
}

int blob_add(blob *b, const void *bytes, u32 n)
{
	u32 need = b->size + n;
	if (need > b->room) {
		u32 room = b->room < MAX_FILE / 2 ? 2 * b->room : MAX_FILE;
		if (room < 1 << 16)
			room = 1 << 16;
		if (room < b->whole)
			room = b->whole;
		if (room < need)
			room = need;
		if (!blob_room(b, room))
			return 0;
	}
	memcpy(b->bytes + b->size, bytes, n);
	b->size = need;
	return 1;
}

void blob_free(blob *b)
{
	release(b->bytes);
	memset(b, 0, sizeof *b);
}
