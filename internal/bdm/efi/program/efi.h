// The part of UEFI 2.10 that the program uses, written from the specification (section numbers
// beside each structure). What it does not use is a void pointer, so that offsets hold.
// x64 only: one calling convention, 64-bit pointers.
#ifndef EFI_H
#define EFI_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u64 efi_status;
typedef void *efi_handle;
typedef void *efi_event;

// Appendix D
#define EFI_ERROR(n) (0x8000000000000000ULL | (n))
#define EFI_SUCCESS 0ULL
#define EFI_LOAD_ERROR EFI_ERROR(1)
#define EFI_UNSUPPORTED EFI_ERROR(3)
#define EFI_BAD_BUFFER_SIZE EFI_ERROR(4)
#define EFI_NOT_READY EFI_ERROR(6)
#define EFI_OUT_OF_RESOURCES EFI_ERROR(9)
#define EFI_NOT_FOUND EFI_ERROR(14)
#define EFI_ACCESS_DENIED EFI_ERROR(15)
#define EFI_NO_MAPPING EFI_ERROR(17)
#define EFI_TIMEOUT EFI_ERROR(18)
#define EFI_ABORTED EFI_ERROR(21)
#define EFI_ICMP_ERROR EFI_ERROR(22)
#define EFI_PROTOCOL_ERROR EFI_ERROR(24)
#define EFI_SECURITY_VIOLATION EFI_ERROR(26)
#define EFI_NETWORK_UNREACHABLE EFI_ERROR(100)
#define EFI_HOST_UNREACHABLE EFI_ERROR(101)
#define EFI_PORT_UNREACHABLE EFI_ERROR(103)
#define EFI_CONNECTION_FIN EFI_ERROR(104)
#define EFI_CONNECTION_RESET EFI_ERROR(105)
#define EFI_CONNECTION_REFUSED EFI_ERROR(106)

typedef struct {
	u32 a;
	u16 b, c;
	u8 d[8];
} efi_guid;

// 10.2, 10.3.4
typedef struct {
	u8 type, subtype, length[2];
} efi_device_path;

enum {
	DP_MESSAGING = 3,
	DP_IPV4 = 12,
	DP_IPV6 = 13,
	DP_VLAN = 20,
	DP_URI = 24,
	DP_END = 0x7f,
	DP_END_ENTIRE = 0xff,
};

// 12.3
typedef struct {
	u16 scan_code, unicode_char;
} efi_input_key;

enum { SCAN_ESC = 0x17 };

typedef struct efi_text_in {
	void *reset;
	efi_status (*read_key)(struct efi_text_in *, efi_input_key *);
	efi_event wait_for_key;
} efi_text_in;

// 12.4
typedef struct efi_text_out {
	void *reset;
	efi_status (*output_string)(struct efi_text_out *, const u16 *);
	void *test_string, *query_mode, *set_mode, *set_attribute, *clear, *set_cursor, *enable_cursor;
	const struct {
		u32 modes, mode, attribute, column, row;
	} *mode;
} efi_text_out;

// 4.2
typedef struct {
	u64 signature;
	u32 revision, header_size, crc32, reserved;
} efi_table_header;

enum {
	EVT_TIMER = 0x80000000,
	EVT_NOTIFY_SIGNAL = 0x200,
	TIMER_CANCEL = 0,
	TIMER_PERIODIC = 1,
	TIMER_RELATIVE = 2,
	TPL_APPLICATION = 4,
	TPL_CALLBACK = 8,
	LOADER_DATA = 2,
	ALL_HANDLES = 0,
	BY_PROTOCOL = 2,
};

// 4.4
typedef struct {
	efi_table_header header;
	void *raise_tpl, *restore_tpl;
	void *allocate_pages, *free_pages, *get_memory_map;
	efi_status (*allocate_pool)(u32 type, u64 size, void **);
	efi_status (*free_pool)(void *);
	efi_status (*create_event)(u32 type, u64 tpl, void (*notify)(efi_event, void *), void *context, efi_event *);
	efi_status (*set_timer)(efi_event, u32 type, u64 hundred_ns);
	efi_status (*wait_for_event)(u64 n, efi_event *, u64 *index);
	efi_status (*signal_event)(efi_event);
	efi_status (*close_event)(efi_event);
	efi_status (*check_event)(efi_event);
	void *install_protocol, *reinstall_protocol, *uninstall_protocol;
	efi_status (*handle_protocol)(efi_handle, const efi_guid *, void **);
	void *reserved, *register_protocol_notify, *locate_handle;
	efi_status (*locate_device_path)(const efi_guid *, const efi_device_path **, efi_handle *);
	void *install_configuration_table;
	efi_status (*load_image)(u8 by_boot_manager, efi_handle parent, const efi_device_path *, const void *source, u64 size,
				 efi_handle *);
	efi_status (*start_image)(efi_handle, u64 *size, u16 **exit_data);
	void *exit;
	efi_status (*unload_image)(efi_handle);
	void *exit_boot_services, *get_next_monotonic_count, *stall;
	efi_status (*set_watchdog_timer)(u64 seconds, u64 code, u64 size, const u16 *);
	efi_status (*connect_controller)(efi_handle, efi_handle *drivers, const efi_device_path *remaining, u8 recursive);
	void *disconnect_controller;
	void *open_protocol, *close_protocol, *open_protocol_information;
	void *protocols_per_handle;
	efi_status (*locate_handle_buffer)(u32 how, const efi_guid *, void *key, u64 *n, efi_handle **);
} efi_boot_services;

// 4.6
typedef struct {
	efi_guid guid;
	const void *table;
} efi_configuration_table;

// 4.3
typedef struct {
	efi_table_header header;
	const u16 *firmware_vendor;
	u32 firmware_revision;
	efi_handle con_in_handle;
	efi_text_in *con_in;
	efi_handle con_out_handle;
	efi_text_out *con_out;
	efi_handle std_err_handle;
	void *std_err, *rt;
	efi_boot_services *bs;
	u64 table_count;
	const efi_configuration_table *tables;
} efi_system_table;

// 9.1
typedef struct {
	u32 revision;
	efi_handle parent;
	efi_system_table *system_table;
	efi_handle device;
} efi_loaded_image;

// 13.5
typedef struct efi_file {
	u64 revision;
	efi_status (*open)(struct efi_file *, struct efi_file **, const u16 *name, u64 mode, u64 attributes);
	efi_status (*close)(struct efi_file *);
	void *delete;
	efi_status (*read)(struct efi_file *, u64 *size, void *);
} efi_file;

enum { FILE_READ = 1 };

// 13.4
typedef struct efi_file_system {
	u64 revision;
	efi_status (*open_volume)(struct efi_file_system *, efi_file **);
} efi_file_system;

#define GUID_LOADED_IMAGE {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define GUID_DEVICE_PATH {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define GUID_FILE_SYSTEM {0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define GUID_SMBIOS {0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define GUID_SMBIOS3 {0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}}

_Static_assert(__builtin_offsetof(efi_boot_services, load_image) == 200, "boot services");
_Static_assert(__builtin_offsetof(efi_boot_services, locate_handle_buffer) == 312, "boot services");

#endif
