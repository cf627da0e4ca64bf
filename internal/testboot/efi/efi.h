// The part of UEFI 2.10 that the test bootstrap uses, written from the specification (section
// numbers beside each structure). What it does not use is a void pointer, so that offsets hold.
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

#define EFI_SUCCESS 0ULL
#define EFI_ERROR(n) (0x8000000000000000ULL | (n))
#define EFI_ABORTED EFI_ERROR(21) // Appendix D

typedef struct {
	u32 a;
	u16 b, c;
	u8 d[8];
} efi_guid;

// 10.2
typedef struct {
	u8 type, subtype, length[2];
} efi_device_path;

enum {
	DP_MESSAGING = 3,
	DP_MAC = 11,
	DP_IPV4 = 12,
	DP_IPV6 = 13,
	DP_UART = 14,
	DP_URI = 24,
	DP_MEDIA = 4,
	DP_FILE = 4,
	DP_END = 0x7f,
	DP_END_ENTIRE = 0xff,
};

// 12.3
typedef struct {
	u16 scan_code, unicode_char;
} efi_input_key;

typedef struct efi_text_in {
	void *reset;
	efi_status (*read_key)(struct efi_text_in *, efi_input_key *);
	efi_event wait_for_key;
} efi_text_in;

// 12.4
typedef struct efi_text_out {
	void *reset;
	efi_status (*output_string)(struct efi_text_out *, const u16 *);
} efi_text_out;

// 12.8
typedef struct efi_serial_io {
	u32 revision;
	void *reset, *set_attributes, *set_control, *get_control;
	efi_status (*write)(struct efi_serial_io *, u64 *size, const void *);
} efi_serial_io;

// 4.2
typedef struct {
	u64 signature;
	u32 revision, header_size, crc32, reserved;
} efi_table_header;

enum { EVT_TIMER = 0x80000000, TIMER_RELATIVE = 2 };

// 4.4
typedef struct {
	efi_table_header header;
	void *raise_tpl, *restore_tpl;
	void *allocate_pages, *free_pages, *get_memory_map, *allocate_pool;
	efi_status (*free_pool)(void *);
	efi_status (*create_event)(u32 type, u64 tpl, void *notify, void *context, efi_event *);
	efi_status (*set_timer)(efi_event, u32 type, u64 hundred_ns);
	efi_status (*wait_for_event)(u64 n, efi_event *, u64 *index);
	void *signal_event;
	efi_status (*close_event)(efi_event);
	void *check_event;
	void *install_protocol, *reinstall_protocol, *uninstall_protocol;
	efi_status (*handle_protocol)(efi_handle, const efi_guid *, void **);
	void *reserved, *register_protocol_notify, *locate_handle;
	efi_status (*locate_device_path)(const efi_guid *, const efi_device_path **, efi_handle *);
	void *install_configuration_table;
	void *load_image, *start_image, *exit, *unload_image, *exit_boot_services;
	void *get_next_monotonic_count, *stall;
	efi_status (*set_watchdog_timer)(u64 seconds, u64 code, u64 size, const u16 *);
	void *connect_controller, *disconnect_controller;
	void *open_protocol, *close_protocol, *open_protocol_information;
	void *protocols_per_handle;
	efi_status (*locate_handle_buffer)(u32 how, const efi_guid *, void *key, u64 *n, efi_handle **);
} efi_boot_services;

enum { BY_PROTOCOL = 2 };

// 4.5
typedef struct {
	efi_table_header header;
	void *get_time, *set_time, *get_wakeup_time, *set_wakeup_time;
	void *set_virtual_address_map, *convert_pointer;
	efi_status (*get_variable)(const u16 *name, const efi_guid *, u32 *attributes, u64 *size, void *);
} efi_runtime_services;

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
	void *std_err;
	efi_runtime_services *rt;
	efi_boot_services *bs;
} efi_system_table;

// 9.1
typedef struct {
	u32 revision;
	efi_handle parent;
	efi_system_table *system_table;
	efi_handle device;
	const efi_device_path *file_path;
	void *reserved;
	u32 load_options_size;
	void *load_options;
	const u8 *image_base;
	u64 image_size;
} efi_loaded_image;

#define GUID_LOADED_IMAGE {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define GUID_LOADED_IMAGE_PATH {0xbc62157e, 0x3e33, 0x4fec, {0x99, 0x20, 0x2d, 0x3b, 0x36, 0xd7, 0x50, 0xdf}}
#define GUID_DEVICE_PATH {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define GUID_SERIAL_IO {0xbb25cf6f, 0xf1d4, 0x11d2, {0x9a, 0x0c, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0xfd}}
#define GUID_GLOBAL_VARIABLE {0x8be4df61, 0x93ca, 0x11d2, {0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}}
#define GUID_PXE_BASE_CODE {0x03c4e603, 0xac28, 0x11d3, {0x9a, 0x2d, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}

#endif
