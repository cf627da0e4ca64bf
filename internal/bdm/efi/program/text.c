// Numbers and addresses in text.
#include "bdm.h"

const char *read_number(const char *text, u32 *n, u32 most)
{
	u64 v = 0;
	const char *begin = text;
	for (; *text >= '0' && *text <= '9'; text++) {
		v = v * 10 + (u64)(*text - '0');
		if (v > most)
			return 0;
	}
	*n = (u32)v;
	return text == begin ? 0 : text;
}

const char *read_ip(const char *text, ip4 *ip)
{
	u32 n;
	for (int i = 0; i < 4; i++) {
		if (i && *text++ != '.')
			return 0;
		text = read_number(text, &n, 255);
		if (!text)
			return 0;
		ip->b[i] = (u8)n;
	}
	return text;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ip4 mask_of(u32 bits)
{
	ip4 mask;
	for (u32 i = 0; i < 4; i++) {
		u32 n = bits > 8 * i ? bits - 8 * i : 0;
		mask.b[i] = (u8)(n >= 8 ? 255 : 0xff00 >> n);
	}
	return mask;
}
