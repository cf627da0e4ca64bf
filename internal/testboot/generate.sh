#!/bin/sh
# Makes the test bootstraps from their sources, byte for byte the same each time:
#   generate.sh DIR     writes DIR/surefoot-test.0 and DIR/surefoot-test.efi
#
# The committed bytes are those of Debian 12's packages nasm (2.16.01), clang-14 and lld-14
# (14.0.6). Other versions make working programs with other bytes. Building Surefoot itself
# needs none of them.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=$(CDPATH='' cd -- "${1:?directory to write to}" && pwd)

# first NAME...: the first of these programs that there is
first() {
	for name; do
		if command -v "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "generate test bootstraps: no $1 (Debian packages: nasm clang lld)" >&2
	exit 1
}
nasm=$(first nasm)
clang=$(first clang-14 clang)
link=$(first lld-link-14 lld-link)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$here/bios"
"$nasm" -f bin -Werror -o "$work/surefoot-test.0" nbp.asm

cd "$here/efi"
objects=
for source in main delivery packet path console self; do
	"$clang" --target=x86_64-unknown-windows -std=c17 -Os -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-asynchronous-unwind-tables -mno-red-zone -mno-sse \
		-Wall -Wextra -Werror -c "$source.c" -o "$work/$source.o"
	objects="$objects $work/$source.o"
done
# shellcheck disable=SC2086 # a list of words
"$link" /nologo /subsystem:efi_application /entry:efi_main /nodefaultlib /timestamp:0 \
	/out:"$work/surefoot-test.efi" $objects

chmod 644 "$work/surefoot-test.0" "$work/surefoot-test.efi"
mv "$work/surefoot-test.0" "$work/surefoot-test.efi" "$out/"
