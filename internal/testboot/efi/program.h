// The parts of the test bootstrap for UEFI, and what each promises the others.
#ifndef PROGRAM_H
#define PROGRAM_H

#include "pxe.h"

// console.c: text to the screen, and to the serial port if the firmware does not do that itself.
void console_open(efi_system_table *st);
const char *console_kind(void);
void console_flush(void);
void put(const char *text);
void put_text(const u8 *text, u32 size); // up to a NUL; what is not printable as '?'
void put_text16(const u8 *text, u32 size);
void put_dec(u64 n);
void put_hex(const u8 *bytes, u32 n, char between);
void put_hex32(u32 n);
void put_ip(const u8 *address);
void put_ip6(const u8 *address);

// self.c: this program's own bytes.
u32 self_length(void);
const u8 *self_node(void);
u32 self_sum_wanted(void);
u32 self_sum_found(const u8 *image_base);

// path.c: device paths.
const efi_device_path *path_next(const efi_device_path *p);
const efi_device_path *path_find(const efi_device_path *p, u8 type, u8 subtype); // the last such node
u32 path_length(const efi_device_path *node);

// packet.c: what a DHCP packet says.
const u8 *packet_option(const pxe_packet *p, u8 code, u32 *length);
const u8 *packet_option6(const pxe_packet *p, u16 code, u32 *length);
const u8 *packet_server(const pxe_packet *p);
const u8 *packet_file(const pxe_packet *p, u32 *size);
void put_packet(const char *name, const pxe_packet *p);
void put_packet6(const char *name, const pxe_packet *p);

// delivery.c: who delivered this program.
void delivery_find(efi_system_table *st, efi_handle image, efi_loaded_image *loaded);
void delivery_report(void);
void delivery_final(void);
void delivery_note(void);

#endif
