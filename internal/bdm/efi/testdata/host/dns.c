#include "host.h"
#include "../../program/dns.c"

// test_dns reads an answer as it came.
int test_dns(u8 *bytes, u32 size, ip4 *ip)
{
	if (size < HEAD || size > sizeof in)
		return 0;
	memcpy(in, bytes, size);
	return address(size, ip);
}
