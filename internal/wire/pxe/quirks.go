package pxe

import (
	"slices"

	"surefoot/internal/boot"
)

// Exceptions of single firmwares. Each names its proof: a fact (F-number), a capture under
// testdata of serve/proxydhcp, or that it is a guess.

// raspberryOUIs are the vendor prefixes of Raspberry Pi boards. Their boot ROM says "PXEClient"
// with arch 0 like a BIOS (F9, F12), and takes an offer only if option 43 has a menu item of
// a certain text. UEFI programs started on a Pi send arch 11 and are ordinary.
func raspberryOUIs() [][3]byte {
	return [][3]byte{
		{0xb8, 0x27, 0xeb},
		{0xdc, 0xa6, 0x32},
		{0xe4, 0x5f, 0x01},
		{0xd8, 0x3a, 0xdd},
		{0x28, 0xcd, 0xc1},
		{0x2c, 0xcf, 0x67},
	}
}

func isRaspberry(m boot.MAC, a boot.Arch) bool {
	return a == boot.ArchBIOS && slices.Contains(raspberryOUIs(), [3]byte(m[:3]))
}

// RaspberryMenu returns what a Raspberry Pi wants to see in option 43: a menu item of type 0
// whose text is "Raspberry Pi Boot", and a prompt (F12). That file and server are then taken
// from the offer itself, which the control bits say, is a guess: no board was at hand.
func RaspberryMenu() Vendor {
	return Vendor{Control(TakeBootFile), Menu(0, "Raspberry Pi Boot"), Prompt(0, "PXE")}
}

// EchoUUID returns the value of option 97 if it is to be echoed: 17 bytes of type 0. Clients
// without it are served as well, and must not get an empty one (F8; a zero-length 97 is what
// tinkerbell sends them). One of another form is a fault of the firmware and stays unanswered.
func EchoUUID(b []byte) ([]byte, bool) { return b, len(b) == 17 && b[0] == 0 }

// otherUEFI are the architectures that boot.Arch has no class for, but whose firmware is EDK2's
// (IANA "Processor Architecture Types": RISC-V, MIPS and LoongArch UEFI). They take an offer in
// EDK2's form. Not seen in captures.
func otherUEFI(a boot.Arch) bool {
	return slices.Contains([]boot.Arch{25, 27, 29, 33, 34, 37, 39}, a)
}
