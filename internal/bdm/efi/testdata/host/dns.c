#include "host.h"
#include "../../program/dns.c"

// test_dns reads an answer as it came, and says how many addresses it has.
u32 test_dns(u8 *bytes, u32 size, ip4 *found)
{
	if (size < HEAD || size > sizeof in)
		return 0;
	memcpy(in, bytes, size);
	return addresses(size, found);
}
