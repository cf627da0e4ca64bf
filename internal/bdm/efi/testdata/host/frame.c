#include "host.h"
#include "../../program/frame.c"

int test_frame(const u8 *bytes, u32 size, packet *p) { return take(bytes, size, p); }
