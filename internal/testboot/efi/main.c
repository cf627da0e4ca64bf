// Surefoot's test bootstrap for UEFI x64 machines. It says who delivered it, from where and with
// which options, waits for a key or a minute, and gives the machine back to who started it.
#include "program.h"

enum { WAIT_SECONDS = 60 };

static void wait(efi_system_table *st)
{
	efi_event events[2];
	efi_input_key key;
	u64 index, n = 1;

	if (st->bs->create_event(EVT_TIMER, 0, 0, 0, &events[0]))
		return;
	st->bs->set_timer(events[0], TIMER_RELATIVE, WAIT_SECONDS * 10000000ULL);
	if (st->con_in) {
		while (!st->con_in->read_key(st->con_in, &key))
			; // keys pressed before the question do not answer it
		events[n++] = st->con_in->wait_for_key;
	}
	st->bs->wait_for_event(n, events, &index);
	if (st->con_in)
		st->con_in->read_key(st->con_in, &key);
	st->bs->close_event(events[0]);
}

efi_status efi_main(efi_handle image, efi_system_table *st)
{
	static const efi_guid loaded_image = GUID_LOADED_IMAGE;
	efi_loaded_image *loaded;
	efi_status status;
	u32 sum;
	int by_firmware;

	st->bs->set_watchdog_timer(0, 0, 0, 0);
	console_open(st);
	put("\nSUREFOOT TEST BOOTSTRAP (UEFI x64)\nnode: ");
	put_text(self_node(), 32);
	status = st->bs->handle_protocol(image, &loaded_image, (void **)&loaded);
	if (status) {
		put("\nSUREFOOT-TEST FAIL: the firmware does not tell of the loaded image\n");
		return status;
	}
	sum = self_sum_found(loaded->image_base);
	put("\nself: ");
	put_dec(self_length());
	put(" bytes, crc32 ");
	put_hex32(sum);
	if (!self_length() || sum != self_sum_wanted()) {
		put("\n\nSUREFOOT-TEST FAIL sum=BAD want=");
		put_hex32(self_sum_wanted());
		put(" got=");
		put_hex32(sum);
		put("\nThis test bootstrap was damaged on its way here.\n");
	} else {
		put(" ok: it arrived whole\nconsole: ");
		put(console_kind());
		delivery_find(st, image, loaded);
		delivery_report();
		put("\nSUREFOOT-TEST OK node=");
		put_text(self_node(), 32);
		delivery_final();
		put(" len=");
		put_dec(self_length());
		put(" sum=ok\n");
		delivery_note();
		put("\nThis machine can boot through Surefoot. Now let the rule name the real file.\n");
	}
	// A boot manager goes on with the next boot option only after an error; success brings up
	// its menu (UEFI 2.10 section 3.1.1). A chain loader takes an error for a failed boot.
	by_firmware = !loaded->parent; // 9.1.1
	put(by_firmware ? "Any key, or 60 s: back to the firmware, which tries the next boot option.\n" :
			  "Any key, or 60 s: back to the program that started this one.\n");
	console_flush();
	wait(st);
	return by_firmware ? EFI_ABORTED : EFI_SUCCESS;
}
