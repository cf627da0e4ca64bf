// Text to the console. Firmware that has a serial port among its consoles sends there what the
// screen gets; where the ConOut variable names none, the text goes to the first serial port as
// well, as whole blocks behind the screen.
#include "program.h"

static efi_system_table *system;
static efi_serial_io *serial;
static const char *kind;
static char log[8192];
static u32 logged, sent;

// has_uart reports whether one of the paths in a multi-instance device path ends at a UART.
static int has_uart(const u8 *path, u64 size)
{
	while (size >= sizeof(efi_device_path)) {
		const efi_device_path *node = (const efi_device_path *)path;
		u32 n = path_length(node);
		if (node->type == DP_MESSAGING && node->subtype == DP_UART)
			return 1;
		if (n < sizeof *node || n > size)
			return 0;
		path += n;
		size -= n;
	}
	return 0;
}

void console_open(efi_system_table *st)
{
	static const efi_guid global = GUID_GLOBAL_VARIABLE, serial_io = GUID_SERIAL_IO;
	static const u16 name[] = {'C', 'o', 'n', 'O', 'u', 't', 0}; // 3.3
	static u8 path[2048];
	u64 size = sizeof path, n = 0;
	efi_handle *handles;

	system = st;
	kind = "screen";
	if (!st->rt->get_variable(&name[0], &global, 0, &size, path) && has_uart(path, size)) {
		kind = "screen and serial, by the firmware";
		return;
	}
	if (st->bs->locate_handle_buffer(BY_PROTOCOL, &serial_io, 0, &n, &handles))
		return;
	if (!st->bs->handle_protocol(handles[0], &serial_io, (void **)&serial))
		kind = "screen, and serial by this program";
	st->bs->free_pool(handles);
}

const char *console_kind(void) { return kind; }

void console_flush(void)
{
	u64 size = logged - sent;
	if (serial && size)
		serial->write(serial, &size, log + sent);
	sent = logged;
}

static void put_char(char c)
{
	u16 text[2] = {(u16)c, 0};
	if (logged < sizeof log)
		log[logged++] = c;
	if (system->con_out)
		system->con_out->output_string(system->con_out, text);
}

void put(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put_char('\r');
		put_char(*text);
	}
}

static void put_printable(u32 c) { put_char(c > ' ' && c <= '~' ? (char)c : '?'); }

void put_text(const u8 *text, u32 size)
{
	for (u32 i = 0; i < size && text[i]; i++)
		put_printable(text[i]);
}

void put_text16(const u8 *text, u32 size)
{
	for (u32 i = 0; i + 1 < size && (text[i] || text[i + 1]); i += 2)
		put_printable(text[i] | text[i + 1] << 8);
}

void put_dec(u64 n)
{
	if (n > 9)
		put_dec(n / 10);
	put_char((char)('0' + n % 10));
}

static void put_digit(u32 n) { put_char((char)(n < 10 ? '0' + n : 'a' + n - 10)); }

void put_hex(const u8 *bytes, u32 n, char between)
{
	for (u32 i = 0; i < n; i++) {
		if (i && between)
			put_char(between);
		put_digit(bytes[i] >> 4);
		put_digit(bytes[i] & 15);
	}
}

void put_hex32(u32 n)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		put_digit(n >> shift & 15);
}

void put_ip(const u8 *address)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			put_char('.');
		put_dec(address[i]);
	}
}

void put_ip6(const u8 *address)
{
	for (int i = 0; i < 16; i += 2) {
		u32 group = address[i] << 8 | address[i + 1];
		int shift = 12;
		if (i)
			put_char(':');
		while (shift > 0 && !(group >> shift))
			shift -= 4;
		for (; shift >= 0; shift -= 4)
			put_digit(group >> shift & 15);
	}
}
