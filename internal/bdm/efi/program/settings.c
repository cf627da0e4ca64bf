// The settings: \SUREFOOT.CFG on the medium that this program was started from. Lines of "key value";
// the last but for padding is "crc" with the CRC-32 of all before it.
#include "bdm.h"

enum { FILE_SIZE = 4096 };

settings config = {.tries = 2, .timeout = 2, .wait = 5};

static char file_text[FILE_SIZE + 1];

static u32 crc32(const char *text, u32 n)
{
	u32 crc = ~0u;
	for (u32 i = 0; i < n; i++) {
		crc ^= (u8)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static int bad(const char *line)
{
	fail("E-CFG", "SUREFOOT.CFG: cannot read \"%s\"", line);
	return 0;
}

static int read_hex(const char *text, u8 *bytes, u32 n)
{
	for (u32 i = 0; i < n; i++, text += 2) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return 0;
		bytes[i] = (u8)(high << 4 | low);
	}
	return !*text;
}

// read_static reads "static 10.0.0.9/24 10.0.0.254", the gateway may be missing.
static int read_static(const char *text)
{
	u32 bits;
	text = begins(text, "static ") ? read_ip(text + 7, &config.ip) : 0;
	text = text && *text == '/' ? read_number(text + 1, &bits, 32) : 0;
	if (!text || !bits)
		return 0;
	config.is_static = 1;
	config.mask = mask_of(bits);
	if (*text == ' ')
		text = read_ip(text + 1, &config.gateway);
	return text && !*text;
}

static int limited(const char *text, u32 *n, u32 least, u32 most)
{
	text = read_number(text, n, most);
	return text && !*text && *n >= least;
}

// known are the keys that this program has no use for.
static int known(const char *key)
{
	static const char *const keys[] = {"surefoot-bdm", "built", "file-bios", "sha256-bios"};
	for (u32 i = 0; i < sizeof keys / sizeof *keys; i++)
		if (length(keys[i]) == length(key) && begins(key, keys[i]))
			return 1;
	return 0;
}

static int is(const char *key, const char *name) { return begins(key, name) && !key[length(name)]; }

static int setting(const char *key, char *value)
{
	const char *end;
	if (is(key, "id"))
		config.id = value;
	else if (is(key, "version"))
		config.version = value;
	else if (is(key, "site"))
		config.site = value;
	else if (is(key, "file"))
		config.file = value;
	else if (is(key, "sha256"))
		return config.has_sha256 = read_hex(value, config.sha256, 32);
	else if (is(key, "server")) {
		if (config.server_count == MAX_SERVERS)
			return 0;
		config.servers[config.server_count++] = value;
	} else if (is(key, "ip"))
		return is(value, "dhcp") || read_static(value);
	else if (is(key, "dns")) {
		if (config.name_count == MAX_NAMES)
			return 0;
		end = read_ip(value, &config.names[config.name_count++]);
		return end && !*end;
	} else if (is(key, "vlan"))
		return limited(value, &config.vlan, 1, 4094);
	else if (is(key, "tries"))
		return limited(value, &config.tries, 1, 100);
	else if (is(key, "timeout"))
		return limited(value, &config.timeout, 1, 600);
	else if (is(key, "wait"))
		return limited(value, &config.wait, 0, 3600);
	else if (!known(key))
		say("SUREFOOT.CFG: \"%s\" is not known to this program, and left out", key);
	return 1;
}

// checked returns how many bytes the CRC covers, 0 if it is wrong or missing.
static u32 checked(const char *text, u32 size)
{
	for (u32 i = 0; i + 12 < size; i++) {
		u8 sum[4];
		char digits[9];
		if ((i && text[i - 1] != '\n') || !begins(text + i, "crc ") || text[i + 12] != '\n')
			continue;
		memcpy(digits, text + i + 4, 8);
		digits[8] = 0;
		return read_hex(digits, sum, 4) && (get16(sum) << 16 | get16(sum + 2)) == crc32(text, i) ? i : 0;
	}
	return 0;
}

int settings_parse(char *text, u32 size)
{
	u32 end = checked(text, size);
	if (!end || !begins(text, "surefoot-bdm 1\n")) {
		fail("E-CFG", "SUREFOOT.CFG: %s", end ? "made for another program" : "its checksum is wrong: it is damaged");
		return 0;
	}
	for (u32 from = 0, i = 0; i < end; i++) {
		char *line = text + from, *value;
		if (text[i] != '\n')
			continue;
		text[i] = 0;
		from = i + 1;
		for (value = line; *value && *value != ' '; value++)
			;
		if (!*line || *line == '#')
			continue;
		if (!*value)
			return bad(line);
		*value = 0;
		if (!setting(line, value + 1)) {
			*value = ' ';
			return bad(line);
		}
	}
	if (!config.file || !config.server_count || !config.id || !config.version) {
		fail("E-CFG", "SUREFOOT.CFG: id, version, file and server are needed");
		return 0;
	}
	return 1;
}

int settings_read(void)
{
	static const efi_guid loaded_image = GUID_LOADED_IMAGE, file_system = GUID_FILE_SYSTEM;
	efi_loaded_image *image;
	efi_file_system *fs;
	efi_file *root, *file;
	u64 size = FILE_SIZE;
	efi_status s;

	if ((s = boot->handle_protocol(self, &loaded_image, (void **)&image)) ||
	    (s = boot->handle_protocol(image->device, &file_system, (void **)&fs)) || (s = fs->open_volume(fs, &root))) {
		fail("E-CFG", "the medium cannot be read: %e", s);
		return 0;
	}
	s = root->open(root, &file, L"\\SUREFOOT.CFG", FILE_READ, 0);
	if (!s) {
		s = file->read(file, &size, file_text);
		file->close(file);
	}
	root->close(root);
	if (s) {
		fail("E-CFG", "SUREFOOT.CFG on the medium: %e", s);
		return 0;
	}
	return settings_parse(file_text, (u32)size);
}
