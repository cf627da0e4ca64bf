// Surefoot's boot medium for UEFI x64 machines. It gets an address on each network card, asks the
// servers of its settings in order for the bootstrap, and starts the first good one; for as long
// as none is found, round after round.
#include "bdm.h"

efi_system_table *firmware;
efi_boot_services *boot;
efi_handle self;

// outcome of asking the servers on a card.
enum { NOTHING, RETURNED, FINISHED };

static int gave_up; // somebody pressed Esc

// place is how far one is: which server of the settings, which address of its name.
typedef struct {
	u32 server, address;
} place;

// servers asks from a place on, and says with which to go on.
static int servers(nic *n, place *at)
{
	for (; at->server < config.server_count && !(gave_up = escape()); at->server++, at->address = 0) {
		server s;
		ip4 found[MAX_ADDRESSES];
		u32 count = server_parse(&s, config.servers[at->server]) ? server_find(&s, n, found) : 0;
		while (at->address < count) {
			blob b = {0};
			int ran = 0;
			s.ip = found[at->address++];
			if (fetch(&s, n, &b))
				ran = start(&s, n, &b);
			blob_free(&b);
			if (ran)
				return ran > 0 ? FINISHED : RETURNED;
		}
	}
	return NOTHING;
}

// one_round tries every card with every server. A bootstrap that ran may have taken the drivers from
// the cards and given them back, so they are looked up again then.
static int one_round(void)
{
	int addresses = 0;
	nics_find();
	if (!nic_count)
		fail("E-NIC", "the firmware has no network card with a driver for it, or its network is switched off");
	for (u32 i = 0; i < nic_count; i++) {
		place at = {0, 0};
		while (at.server < config.server_count && i < nic_count && !gave_up) {
			int what;
			if (!nic_address(&nics[i]))
				break;
			addresses++;
			what = servers(&nics[i], &at);
			if (what == FINISHED)
				return 1;
			if (what == RETURNED) {
				nics_connect();
				nics_find();
			}
		}
	}
	// Some drivers never see a link: where nobody has one, the next round does not ask.
	trust_links = addresses || !trust_links;
	return 0;
}

efi_status efi_main(efi_handle image, efi_system_table *table)
{
	int done = 0;

	self = image;
	firmware = table;
	boot = table->bs;
	boot->set_watchdog_timer(0, 0, 0, 0);
	clock_start();
	part("\r\n");
	if (!settings_read()) {
		say("the firmware goes on in 10 s");
		clock_sleep(100);
		clock_stop();
		return EFI_ABORTED;
	}
	say("Surefoot boot medium %s, site %s, id %s", config.version, config.site ? config.site : "-", config.id);
	nics_connect();
	for (u32 round = 1; !done; round++) {
		done = one_round();
		if (done || gave_up)
			break;
		say("round %u is over, the next begins in %u s; Esc gives the machine back to its firmware", round, config.wait);
		if (clock_sleep(config.wait * 10))
			break;
	}
	clock_stop();
	return done ? EFI_SUCCESS : EFI_ABORTED;
}
