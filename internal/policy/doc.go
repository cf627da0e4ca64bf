// Package policy holds what the tree promises about itself, as tests: which room may import
// which, the shape of packages, the licences of dependencies, and that documents tell the truth.
// It has no code of its own and nothing imports it.
//
// Its tests walk the files. They do not ask `go list`: the test cache does not see what such a
// child process read, and a test that ran it passed from the cache while the tree was broken.
package policy

//go:generate go test -run TestReasonsTable -update .
