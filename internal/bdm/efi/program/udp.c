// Datagrams, by the firmware's UDP4 (UEFI 2.10 section 30.1).
#include "bdm.h"

efi_status udp_open(udp *u, const nic *n)
{
	static const efi_guid binding = GUID_UDP4_BINDING, protocol = GUID_UDP4;
	static ip4 anywhere;
	efi_udp4_config setup = {.ttl = 64, .station = n->ip, .mask = n->mask};
	ip4 gateway = n->gateway;
	efi_udp4 *p;
	efi_status s;

	memset(u, 0, sizeof *u);
	if ((s = child_open(&u->child, n->handle, &binding, &protocol)))
		return s;
	p = u->child.protocol;
	if ((s = p->configure(p, &setup)) || (s = token_open(&u->rx))) {
		udp_close(u);
		return s;
	}
	if (!same(&gateway, &anywhere, 4))
		p->routes(p, 0, &anywhere, &anywhere, &gateway); // refused: then only neighbours are reached
	return EFI_SUCCESS;
}

void udp_close(udp *u)
{
	efi_udp4 *p = u->child.protocol;
	token_drop(&u->rx);
	if (p)
		p->configure(p, 0); // which ends all waiting
	token_close(&u->rx);
	child_close(&u->child);
}

efi_status udp_send(udp *u, ip4 to, u32 port, const void *bytes, u32 size, u64 until)
{
	efi_udp4 *p = u->child.protocol;
	efi_udp4_session session = {.to = to, .to_port = (u16)port};
	efi_udp4_transmit tx = {.session = &session, .size = size, .fragments = 1, .fragment = {{size, bytes}}};
	efi_token t;
	efi_status s = token_open(&t);

	if (s)
		return s;
	t.packet = &tx;
	s = p->transmit(p, &t);
	if (!s && !token_wait(&t, (poll_function)p->poll, p, until)) {
		s = p->cancel(p, &t); // it still asks for the neighbour's MAC address
		if (s && s != EFI_NOT_FOUND)
			p->configure(p, 0); // or it would write into a token that is gone
		s = EFI_TIMEOUT;
	} else if (!s) {
		s = t.status;
	}
	token_close(&t);
	return s;
}

static u32 collect(const efi_udp4_receive *rx, u8 *bytes, u32 room)
{
	u32 n = 0;
	for (u32 i = 0; i < rx->fragments; i++) {
		u32 size = rx->fragment[i].size;
		if (size > room - n)
			size = room - n;
		memcpy(bytes + n, rx->fragment[i].bytes, size);
		n += size;
	}
	return n;
}

u32 udp_receive(udp *u, ip4 from, u16 *port, u8 *bytes, u32 room, u64 until, efi_status *why)
{
	efi_udp4 *p = u->child.protocol;
	for (;;) {
		efi_udp4_receive *rx;
		u32 n = 0;
		if (!u->listening && (*why = p->receive(p, &u->rx)))
			return 0;
		u->listening = 1;
		*why = EFI_TIMEOUT;
		if (!token_wait(&u->rx, (poll_function)p->poll, p, until))
			return 0;
		u->listening = 0;
		*why = u->rx.status;
		if (*why)
			return 0; // ICMP says so
		rx = u->rx.packet;
		if (same(&rx->session.from, &from, 4)) {
			*port = rx->session.from_port;
			n = collect(rx, bytes, room);
		}
		boot->signal_event(rx->recycle);
		if (n)
			return n;
	}
}
