// Package efi holds the boot program of UEFI x64 media: it gets an address, asks the servers of its
// medium in order for the bootstrap, checks and starts it, round after round until one is found.
// What it is told stands in the file SUREFOOT.CFG beside it, so that the same bytes, signed once,
// serve every site.
//
// It is not an image and does not make one. The program follows UEFI 2.10; its source is in the
// folder program, generate.sh makes the committed bytes.
package efi

import _ "embed"

//go:generate sh generate.sh .

//go:embed surefoot-bdm.efi
var program string

// Program returns the program's bytes, fresh ones at every call.
func Program() []byte { return []byte(program) }
