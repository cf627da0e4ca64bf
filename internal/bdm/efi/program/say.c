// Text to the screen. Firmware that has a serial port among its consoles sends it there as well.
#include "bdm.h"

typedef __builtin_va_list arguments;

// out is where text goes: to the screen a piece at a time, or into memory.
typedef struct {
	u16 piece[64];
	u32 n;
	char *to;
	u32 room;
} out;

static void flush(out *o)
{
	o->piece[o->n] = 0;
	if (o->n && firmware->con_out)
		firmware->con_out->output_string(firmware->con_out, o->piece);
	o->n = 0;
}

static void put(out *o, char c)
{
	if (o->to) {
		if (o->room > 1) {
			*o->to++ = c;
			o->room--;
		}
		*o->to = 0;
		return;
	}
	if (o->n + 1 == sizeof o->piece / sizeof *o->piece)
		flush(o);
	o->piece[o->n++] = (u16)(c == '\r' || c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
}

static void text(out *o, const char *s)
{
	while (s && *s)
		put(o, *s++);
}

static void number(out *o, u64 n)
{
	if (n > 9)
		number(o, n / 10);
	put(o, (char)('0' + n % 10));
}

static void hex(out *o, u8 b)
{
	put(o, "0123456789abcdef"[b >> 4]);
	put(o, "0123456789abcdef"[b & 15]);
}

static void status(out *o, efi_status s)
{
	static const struct {
		u8 code;
		const char *words;
	} known[] = {
		{1, "cannot be loaded"}, {3, "not supported"}, {9, "out of memory"}, {14, "not found"},
		{15, "access denied"}, {17, "no machine has that address"}, {18, "no answer"}, {21, "aborted"}, {26, "security violation"},
		{100, "network unreachable"}, {101, "host unreachable"}, {103, "port closed"},
		{105, "connection reset"}, {106, "connection refused"},
	};
	for (u32 i = 0; i < sizeof known / sizeof *known; i++)
		if (s == EFI_ERROR(known[i].code))
			return text(o, known[i].words);
	text(o, "status ");
	number(o, s & 0xffffffff);
}

static void format(out *o, const char *f, arguments a)
{
	const u8 *bytes;
	u32 n;
	for (; *f; f++) {
		if (*f != '%') {
			put(o, *f);
			continue;
		}
		switch (*++f) {
		case '%':
			put(o, '%');
			break;
		case 's':
			text(o, __builtin_va_arg(a, const char *));
			break;
		case 'u':
			number(o, __builtin_va_arg(a, u32));
			break;
		case 't':
			n = __builtin_va_arg(a, u32);
			number(o, n / 10);
			put(o, '.');
			number(o, n % 10);
			break;
		case 'e':
			status(o, __builtin_va_arg(a, efi_status));
			break;
		case 'i':
		case 'm':
			bytes = __builtin_va_arg(a, const u8 *);
			for (u32 i = 0; i < (*f == 'i' ? 4 : 6); i++) {
				if (i)
					put(o, *f == 'i' ? '.' : ':');
				if (*f == 'i')
					number(o, bytes[i]);
				else
					hex(o, bytes[i]);
			}
			break;
		}
	}
}

// prefix begins a line of ours; firmware leaves half lines behind, and so does progress.
static void prefix(out *o)
{
	if (firmware->con_out && firmware->con_out->mode->column)
		text(o, "\r\n");
	text(o, "BDM: ");
}

void say(const char *f, ...)
{
	out o = {.n = 0};
	arguments a;
	prefix(&o);
	__builtin_va_start(a, f);
	format(&o, f, a);
	__builtin_va_end(a);
	text(&o, "\r\n");
	flush(&o);
}

void fail(const char *code, const char *f, ...)
{
	out o = {.n = 0};
	arguments a;
	prefix(&o);
	text(&o, code);
	put(&o, ' ');
	__builtin_va_start(a, f);
	format(&o, f, a);
	__builtin_va_end(a);
	text(&o, "\r\n");
	flush(&o);
}

void part(const char *f, ...)
{
	out o = {.n = 0};
	arguments a;
	__builtin_va_start(a, f);
	format(&o, f, a);
	__builtin_va_end(a);
	flush(&o);
}

void print_into(char *to, u32 room, const char *f, ...)
{
	out o = {.to = to, .room = room};
	arguments a;
	*to = 0;
	__builtin_va_start(a, f);
	format(&o, f, a);
	__builtin_va_end(a);
}
