; A hard disk that plays a PXE 2.0 boot ROM, older than !PXE: it loads a bootstrap program to
; 0000:7C00, calls it with PXENV+ at ES:BX only, and says how it came back. For the tests.
;
;	nasm -f bin -DPROGRAM='"surefoot-test.0"' -o disk.img oldrom.asm

	cpu 386
	bits 16

HOME	equ 0x600			; the boot sector moves here, away from 7C00
ROM	equ 0x800
PROGRAM_AT	equ 0x7c00

section .boot start=0 vstart=HOME
boot:
	cli
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, HOME
	mov si, 0x7c00
	mov di, HOME
	mov cx, 256
	cld
	rep movsw
	jmp 0:.moved
.moved:	sti
	mov si, read_rom
	mov ah, 0x42			; extended read
	int 0x13
	jc .stop
	mov si, read_program
	mov ah, 0x42
	int 0x13
	jnc rom
.stop:	hlt
	jmp .stop

read_rom:	db 16, 0
		dw 2, ROM, 0
		dq 1
read_program:	db 16, 0
		dw (program_end - program + 511) / 512, PROGRAM_AT, 0
		dq 3
	times 446-($-$$) db 0
	times 64 db 0
	dw 0xaa55

section .rom start=512 vstart=ROM
rom:
	mov bx, pxenv			; its checksum
	mov cx, pxenv_end - pxenv
	mov al, 0
.sum:	sub al, [bx]
	inc bx
	loop .sum
	mov [pxenv + 9], al
	mov ebp, 0x12345678
	mov ecx, 0x87654321
	mov bx, pxenv
	push dword 0			; where a newer ROM has a pointer to !PXE
	call 0:PROGRAM_AT
	add sp, 4
	mov si, text_back
	test ax, ax
	jnz .bad
	cmp ebp, 0x12345678
	jne .bad
	cmp ecx, 0x87654321
	je .print
.bad:	mov si, text_bad
.print:	lodsb
	test al, al
	jz .stop
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	jmp .print
.stop:	hlt
	jmp .stop

pxenv:	db "PXENV+"
	dw 0x0200			; before !PXE came
	db pxenv_end - pxenv, 0
	dw api, 0			; RMEntry
	times 44-($-pxenv) db 0
pxenv_end:

; api: BX = function, ES:DI = parameters. Knows PXENV_GET_CACHED_INFO only.
api:	cmp bx, 0x71
	mov ax, 1
	jne .end
	push cx
	push si
	push di
	mov word [es:di], 0
	mov word [es:di + 4], packet_end - packet
	mov di, [es:di + 6]
	mov si, packet
	mov cx, packet_end - packet
	rep movsb
	pop di
	pop si
	pop cx
	xor ax, ax
.end:	retf

packet:	db 2, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	db 192, 0, 2, 7			; yiaddr
	db 0, 0, 0, 0			; siaddr: none, so the server identifier counts
	db 0, 0, 0, 0
	db 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	times 192 db 0
	db 99, 130, 83, 99
	db 53, 1, 5, 54, 4, 192, 0, 2, 1, 0, 0
	db 67, 18, "\boot\surefoot-old"
	db 255
packet_end:

text_back:	db "OLD ROM: the program came back as it should", 13, 10, 0
text_bad:	db "OLD ROM: the program came back with an error or other registers", 13, 10, 0
	times 1024-($-$$) db 0

section .program start=1536 vstart=PROGRAM_AT
program:
	incbin PROGRAM
program_end:
	times 65536-($-$$) db 0
