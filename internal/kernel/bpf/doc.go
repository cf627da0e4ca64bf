// Package bpf is the data path of direct server return in the kernel: one C source with two programs, for XDP
// and for tcx, the maps between them and user space, and the places where they stay when the process ends. It
// knows addresses, MACs and slots; who is alive, and why, is the business of lb/dsr.
//
// The object is compiled beforehand and part of the binary. It uses no helper that is reserved for the GPL.
package bpf

//go:generate sh generate.sh
