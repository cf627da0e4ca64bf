#include "host.h"
#include "../../program/tftp.c"

// test_oack reads what a server grants.
int test_oack(u8 *bytes, u32 size, u32 *block, u32 *window, u32 *whole)
{
	blob b = {0};
	transfer t = {.b = &b};
	if (size < 4 || size > sizeof in - 1)
		return 0;
	memcpy(in, bytes, size);
	if (!granted(&t, size))
		return 0;
	*block = t.block;
	*window = t.window;
	*whole = b.whole;
	return 1;
}
