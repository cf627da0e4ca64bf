#include "host.h"
#include "../../program/start.c"

void test_ack(packet *to, const server *s, const nic *n) { make_ack(to, s, n); }
