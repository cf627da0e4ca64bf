#!/bin/sh
# Makes dsr.o from dsr.c, byte for byte the same each time. The committed bytes are those of Debian 12's clang-14
# (14.0.6) and llvm-14; other versions make working programs with other bytes. Building Surefoot itself needs
# neither, nor any headers of the kernel.
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")/c" && pwd)"

first() {
	for name; do
		if command -v "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "generate the BPF object: no $1 (Debian packages: clang llvm)" >&2
	exit 1
}
clang=$(first clang-14 clang)
strip=$(first llvm-strip-14 llvm-strip)

# v3: atomic additions that return the old value, 32-bit jumps. The kernel has it since 5.12.
"$clang" -O2 -g -target bpfel -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -nostdinc \
	-fdebug-compilation-dir=. -c dsr.c -o ../dsr.o.new
"$strip" -g ../dsr.o.new # keeps BTF
chmod 644 ../dsr.o.new
mv ../dsr.o.new ../dsr.o
