// Package testboot holds the built-in test bootstrap: two tiny programs, one for BIOS and one for
// UEFI x64 machines, that say on screen and serial console who delivered them, from where and
// with which options, and then give the machine back. A site is proved with them before the real
// file is there: a rule that names `file: surefoot-test` hands them out.
//
// It is not a boot loader: nothing is loaded by them. The programs follow PXE 2.1 section 4.4 and
// UEFI 2.10 chapter 4; their sources are in bios and efi, generate.sh makes the committed bytes.
package testboot

import (
	_ "embed"

	"surefoot/internal/boot"
)

//go:generate sh generate.sh .

//go:embed surefoot-test.0
var biosProgram string

//go:embed surefoot-test.efi
var x64Program string

// Files returns the programs by the names under which they are served, boot.TestBootstrapBIOS and
// boot.TestBootstrapX64, with the node's name in them. The programs print that name, so a report
// tells which of several nodes delivered it. Every call returns fresh bytes.
func Files(node string) map[string][]byte {
	return map[string][]byte{
		boot.TestBootstrapBIOS: personalise([]byte(biosProgram), node),
		boot.TestBootstrapX64:  personalise([]byte(x64Program), node),
	}
}

// personalise writes the node's name into a program and makes its checksum right again.
func personalise(program []byte, node string) []byte {
	s, err := findSlot(program)
	if err != nil {
		panic(err) // the committed bytes are broken: the tests of this package notice
	}
	s.setNode(program, nodeName(node))
	s.seal(program)
	return program
}
