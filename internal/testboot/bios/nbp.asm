; Surefoot's test bootstrap for BIOS machines: a network bootstrap program as PXE 2.1 section 4.4
; loads it, at 0000:7C00 in real mode. It says who delivered it, from where and with which
; options, waits for a key or a minute, and gives the machine back to its boot ROM.
;
; The screen is written by INT 10h. COM1 gets the same text, as whole blocks after the screen
; has it, unless the firmware mirrors INT 10h to COM1 itself (see serial.inc): then once is enough.
;
; Memory: the image at 7C00, what it remembers right behind it (image_end and up). Nothing writes
; into the image before its checksum is known. DS = ES = 0 all the time; the stack is the caller's.

	cpu 386
	bits 16
	org 0x7c00

TICKS		equ 0x46c		; the BIOS counts timer ticks here
WAIT_TICKS	equ 1092		; 60 s of 18.2 timer ticks
PACKET_SIZE	equ 1600		; more than any DHCP packet that a PXE ROM keeps
LOG_SIZE	equ 8192

entry:
	jmp 0:main			; CS = 0, whatever form of 7C00 the ROM used
	times 8-($-$$) db 0

; The slot: found by its marker and filled in by the Go package (slot.go has the same layout).
slot:		db "surefoot.slot/1", 0
slot_len:	dd image_end - entry	; of the whole file
slot_sum:	dd 0			; CRC-32 of the whole file with this field as zero
slot_node:	db "unnamed"
		times 32-($-slot_node) db 0

; ---- The first 512 bytes: all that it takes to notice and report a damaged or cut download,
; since a TFTP server's first block is the least that must have come.

main:
	pushf
	pushad
	push ds
	push es
	push fs
	push gs
	mov bp, sp			; the frame: see FRAME_ below
	cld
	xor ax, ax
	mov ds, ax
	mov es, ax
	sti
	mov word [log_pos], log
	mov word [log_sent], log
	mov byte [serial], SERIAL_NONE
	mov byte [screen], 1
	mov si, text_newline
	call puts
	call checksum
	mov [sum_found], edx
	cmp edx, [slot_sum]
	je near report

	mov si, text_bad
	call puts
	mov eax, [slot_sum]
	call put_hex32
	mov si, text_bad_got
	call puts
	mov eax, [sum_found]
	call put_hex32
	mov si, text_bad_end
	call puts

; leave: wait for a key or a minute, then return to the ROM: "boot the next device" (AX = 0).
leave:
.drain:	mov ah, 1			; keys pressed before the question do not answer it
	int 0x16
	jz .empty
	mov ah, 0
	int 0x16
	jmp .drain
.empty:	mov edi, [TICKS]		; timer ticks; at midnight they restart, which ends the wait early
.wait:	sti
	hlt
	mov ah, 1
	int 0x16
	jnz .key
	cmp byte [serial], SERIAL_OURS
	jne .time
	mov dx, COM1 + 5
	in al, dx
	test al, 1			; a key of the person at the serial console
	jz .time
	mov dx, COM1
	in al, dx
	jmp .back
.time:	mov eax, [TICKS]
	sub eax, edi
	cmp eax, WAIT_TICKS
	jb .wait
	jmp .back
.key:	mov ah, 0
	int 0x16
.back:	mov si, text_newline
	call puts
	mov sp, bp
	pop gs
	pop fs
	pop es
	pop ds
	popad
	popf
	xor ax, ax			; PXENV_EXIT_SUCCESS
	retf

; checksum returns in EDX the CRC-32 of the whole image with slot_sum as zero.
checksum:
	push dword [slot_sum]
	and dword [slot_sum], 0
	mov si, entry
	mov cx, image_end - entry
	or edx, -1
.byte:	lodsb
	xor dl, al
	mov al, 8
.bit:	shr edx, 1
	jnc .zero
	xor edx, 0xedb88320
.zero:	dec al
	jnz .bit
	loop .byte
	not edx
	pop dword [slot_sum]
	ret

; puts prints the text at SI up to its NUL. putc prints AL. Both keep every register but SI.
puts:
	push ax
.next:	lodsb
	test al, al
	jz .end
	call putc
	jmp .next
.end:	pop ax
	ret

putc:
	pushad
	mov di, [log_pos]
	cmp di, log + LOG_SIZE
	jae .screen
	stosb
	mov [log_pos], di
.screen:
	cmp byte [screen], 1
	jne .end
	mov ah, 0x0e
	mov bx, 7
	int 0x10
.end:	popad
	ret

; put_hex32, put_hex16, put_hex8 print EAX, AX, AL.
put_hex32:
	ror eax, 16
	call put_hex16
	ror eax, 16
put_hex16:
	ror ax, 8
	call put_hex8
	ror ax, 8
put_hex8:
	ror al, 4
	call .digit
	ror al, 4
.digit:	push ax
	and al, 15
	add al, '0'
	cmp al, '9'
	jbe .put
	add al, 'a' - '9' - 1
.put:	call putc
	pop ax
	ret

text_bad:	db "SUREFOOT-TEST FAIL sum=BAD want=", 0
text_bad_got:	db " got=", 0
text_bad_end:	db 13, 10, "This test bootstrap was cut or damaged on its way here."
text_newline:	db 13, 10, 0

%if ($ - $$) > 512
%error "what reports a damaged download must be in the first 512 bytes"
%endif

; ---- The rest may count on being whole.

%include "serial.inc"
%include "pxe.inc"
%include "facts.inc"
%include "packet.inc"
%include "print.inc"
%include "report.inc"

image_end:

; ---- What it remembers, behind the image.

	absolute image_end
	alignb 16
sum_found:	resd 1
log_pos:	resw 1			; next free byte of the log
log_sent:	resw 1			; first byte of the log that COM1 has not had
serial:		resb 1			; SERIAL_NONE and so on
screen:		resb 1			; 1: putc prints, 0: it only logs
serial_why:	resw 1			; text for the report
		alignb 2
api_kind:	resw 1			; text for the report: !PXE, PXENV+ or none
api_entry:	resd 1			; far address
api_stack:	resb 1			; 1: parameters on the stack (!PXE), 0: in registers (PXENV+)
		alignb 2
cached:		resb 14			; s_PXENV_GET_CACHED_INFO
ack_len:	resw 1			; bytes in ack; 0: the ROM has no such packet
reply_len:	resw 1
		alignb 16
ack:		resb PACKET_SIZE
reply:		resb PACKET_SIZE
log:		resb LOG_SIZE
