// DHCP messages as frames of a network card, by the firmware's MNP (UEFI 2.10 section 25.1). A machine
// that has no address yet needs that: it has to hear answers that are sent to the address it will get.
#include "bdm.h"

enum { IP_SIZE = 20, UDP_SIZE = 8, UDP = 17, CLIENT_PORT = 68, SERVER_PORT = 67, TYPE_IP4 = 0x0800 };

efi_status wire_open(wire *w, nic *n)
{
	static const efi_guid binding = GUID_MNP_BINDING, protocol = GUID_MNP;
	static const efi_mnp_config setup = {.protocol = TYPE_IP4, .unicast = 1, .broadcast = 1, .flush = 1};
	static efi_snp_mode mode;
	efi_mnp *mnp;
	efi_status s;

	memset(w, 0, sizeof *w);
	if ((s = child_open(&w->child, n->handle, &binding, &protocol)))
		return s;
	mnp = w->child.protocol;
	if ((s = mnp->configure(mnp, &setup)) || (s = token_open(&w->rx))) {
		wire_close(w);
		return s;
	}
	if (!mnp->get_mode(mnp, 0, &mode)) // of a VLAN, too
		memcpy(n->mac, mode.current.b, 6);
	return EFI_SUCCESS;
}

void wire_close(wire *w)
{
	efi_mnp *mnp = w->child.protocol;
	token_drop(&w->rx);
	if (mnp)
		mnp->configure(mnp, 0); // which ends the waiting for frames
	token_close(&w->rx);
	child_close(&w->child);
}

// sum adds up words as the checksums of IP and UDP do (RFC 1071).
static u32 sum(u32 s, const u8 *p, u32 n)
{
	for (; n > 1; p += 2, n -= 2)
		s += get16(p);
	if (n)
		s += (u32)p[0] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

efi_status wire_send(wire *w, const nic *n, const packet *p, u32 size)
{
	static u8 frame[IP_SIZE + UDP_SIZE + PACKET_SIZE];
	static efi_mac everybody;
	efi_mnp *mnp = w->child.protocol;
	efi_mnp_transmit tx = {.to = &everybody, .protocol = TYPE_IP4, .fragments = 1};
	u8 *ip = frame, *udp = frame + IP_SIZE;
	efi_token t;
	efi_status s;

	(void)n; // the driver puts the card's address into the frame
	memset(frame, 0, IP_SIZE + UDP_SIZE);
	memset(everybody.b, 0xff, 6);
	ip[0] = 0x45;
	put16(ip + 2, IP_SIZE + UDP_SIZE + size);
	ip[8] = 64;
	ip[9] = UDP;
	memset(ip + 16, 0xff, 4); // from 0.0.0.0 to everybody
	put16(ip + 10, ~sum(0, ip, IP_SIZE));
	put16(udp, CLIENT_PORT);
	put16(udp + 2, SERVER_PORT);
	put16(udp + 4, UDP_SIZE + size);
	memcpy(udp + UDP_SIZE, p->raw, size);
	put16(udp + 6, ~sum(sum(UDP + UDP_SIZE + size, ip + 12, 8), udp, UDP_SIZE + size));

	tx.size = tx.fragment[0].size = IP_SIZE + UDP_SIZE + size;
	tx.fragment[0].bytes = frame;
	if ((s = token_open(&t)))
		return s;
	t.packet = &tx;
	s = mnp->transmit(mnp, &t);
	if (!s && !token_wait(&t, (poll_function)mnp->poll, mnp, clock_now() + 10)) {
		s = mnp->cancel(mnp, &t);
		if (s && s != EFI_NOT_FOUND)
			mnp->configure(mnp, 0); // or it would write into a token that is gone
		s = EFI_TIMEOUT;
	} else if (!s) {
		s = t.status;
	}
	token_close(&t);
	return s;
}

// take copies the DHCP message out of an IP packet: 0, if it is something else.
static int take(const u8 *ip, u32 size, packet *p)
{
	u32 head = size < IP_SIZE ? 0 : (ip[0] & 15) * 4, n;
	const u8 *udp = ip + head;
	if (head < IP_SIZE || size < head + UDP_SIZE || ip[0] >> 4 != 4 || ip[9] != UDP)
		return 0;
	if (get16(ip + 6) & 0x3fff || get16(udp + 2) != CLIENT_PORT) // a fragment; somebody else's
		return 0;
	n = get16(udp + 4);
	if (n < UDP_SIZE || n > size - head)
		return 0;
	n -= UDP_SIZE;
	memset(p, 0, sizeof *p);
	memcpy(p->raw, udp + UDP_SIZE, n < PACKET_SIZE ? n : PACKET_SIZE);
	return 1;
}

int wire_receive(wire *w, packet *p, u64 until)
{
	efi_mnp *mnp = w->child.protocol;
	for (;;) {
		int found;
		efi_mnp_receive *rx;
		if (!w->listening && mnp->receive(mnp, &w->rx))
			return 0;
		w->listening = 1;
		if (!token_wait(&w->rx, (poll_function)mnp->poll, mnp, until))
			return 0;
		w->listening = 0;
		if (w->rx.status)
			continue;
		rx = w->rx.packet;
		found = take(rx->bytes, rx->size, p);
		boot->signal_event(rx->recycle);
		if (found)
			return 1;
	}
}
