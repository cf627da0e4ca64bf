// A user of one of the firmware's network drivers (UEFI 2.10 section 11.1), and waiting for what it
// was asked for. Waiting polls: firmware looks at its cards only a hundred times a second by itself,
// and a download would be that slow.
#include "bdm.h"

efi_status child_open(child *c, efi_handle device, const efi_guid *binding, const efi_guid *protocol)
{
	efi_status s;
	memset(c, 0, sizeof *c);
	s = boot->handle_protocol(device, binding, (void **)&c->binding);
	if (s)
		return s;
	s = c->binding->create(c->binding, &c->handle);
	if (s)
		return s;
	s = boot->handle_protocol(c->handle, protocol, &c->protocol);
	if (s)
		child_close(c);
	return s;
}

void child_close(child *c)
{
	if (c->handle)
		c->binding->destroy(c->binding, c->handle);
	memset(c, 0, sizeof *c);
}

efi_status token_open(efi_token *t)
{
	memset(t, 0, sizeof *t);
	return boot->create_event(0, TPL_APPLICATION, 0, 0, &t->event);
}

void token_drop(efi_token *t)
{
	const struct {
		u8 time[16];
		efi_event recycle;
	} *received = t->packet; // MNP's and UDP4's begin alike
	if (t->event && !boot->check_event(t->event) && !t->status && received)
		boot->signal_event(received->recycle);
}

void token_close(efi_token *t)
{
	if (t->event)
		boot->close_event(t->event);
	memset(t, 0, sizeof *t);
}

int token_wait(efi_token *t, poll_function poll, void *protocol, u64 until)
{
	for (;;) {
		if (!boot->check_event(t->event))
			return 1;
		if (clock_now() >= until)
			return 0;
		poll(protocol);
	}
}
