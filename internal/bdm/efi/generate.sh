#!/bin/sh
# Makes the boot program from its sources, byte for byte the same each time:
#   generate.sh DIR     writes DIR/surefoot-bdm.efi
#
# The committed bytes are those of Debian 12's packages clang-14 and lld-14 (14.0.6). Other versions
# make working programs with other bytes. Building Surefoot itself needs neither.
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
	echo "generate the boot program: no $1 (Debian packages: clang lld)" >&2
	exit 1
}
clang=$(first clang-14 clang)
link=$(first lld-link-14 lld-link)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$here/program"
objects=
for source in main settings nic lease dhcp options frame smbios fetch tftp http dns udp child start sha256 say text clock memory; do
	"$clang" --target=x86_64-unknown-windows -std=c17 -Oz -ffreestanding -fno-builtin \
		-fno-stack-protector -fno-asynchronous-unwind-tables -mno-red-zone -mno-sse \
		-Wall -Wextra -Werror -c "$source.c" -o "$work/$source.o"
	objects="$objects $work/$source.o"
done
# shellcheck disable=SC2086 # a list of words
"$link" /nologo /subsystem:efi_application /entry:efi_main /nodefaultlib /merge:.rdata=.text /timestamp:0 \
	/out:"$work/surefoot-bdm.efi" $objects

chmod 644 "$work/surefoot-bdm.efi"
mv "$work/surefoot-bdm.efi" "$out/"
