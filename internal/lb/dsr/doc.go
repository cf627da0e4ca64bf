// Package dsr balances by direct server return: packets to a service's address go on to a backend with nothing
// but their MAC addresses changed, in the kernel, and the backend, which has the address as well, answers the
// client itself. The node is never on the way back. It needs backends on the same link.
//
// It translates tables into what kernel/bpf follows, finds the backends' MACs, and lets packets flow on when the
// process ends. Who is alive, and whether this node has the address, it is told.
package dsr
