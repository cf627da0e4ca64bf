// Time. Firmware has no clock that every machine keeps well, but timers (UEFI 2.10 section 7.1): one
// of them counts tenths of a second. A tenth is longer than any firmware's tick, so none is lost.
#include "bdm.h"

enum { TENTH = 1000000 }; // in units of 100 ns

static volatile u64 tenths;
static efi_event ticker;

static void tick(efi_event event, void *context)
{
	(void)event;
	(void)context;
	tenths = tenths + 1;
}

void clock_start(void)
{
	if (!ticker && boot->create_event(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, tick, 0, &ticker)) {
		ticker = 0;
		return;
	}
	boot->set_timer(ticker, TIMER_PERIODIC, TENTH);
}

// clock_stop lets no timer of ours fire in somebody else's program.
void clock_stop(void)
{
	if (ticker)
		boot->close_event(ticker);
	ticker = 0;
}

u64 clock_now(void) { return tenths; }

int escape(void)
{
	efi_input_key key;
	int pressed = 0;
	while (firmware->con_in && !firmware->con_in->read_key(firmware->con_in, &key))
		pressed |= key.scan_code == SCAN_ESC;
	return pressed;
}

int clock_sleep(u32 n)
{
	efi_event events[2];
	u64 index, count = 1;
	int pressed = 0;

	if (boot->create_event(EVT_TIMER, 0, 0, 0, &events[0]))
		return 0;
	boot->set_timer(events[0], TIMER_RELATIVE, (u64)n * TENTH);
	if (firmware->con_in)
		events[count++] = firmware->con_in->wait_for_key;
	while (!pressed && !boot->wait_for_event(count, events, &index) && index == 1)
		pressed = escape();
	boot->close_event(events[0]);
	return pressed;
}
