// Package e2e proves Surefoot from the outside: labs in network namespaces (internal/lab), the
// real binary as nodes, a foreign DHCP server that hands out addresses only, and emulated PCs
// whose firmware boots to the built-in test bootstrap. Each scenario asserts on three things that
// know nothing of each other: what the machine's serial console says, what passed on the wire,
// and what the node tells of it (`surefoot story MAC --json`).
//
// It is not the place for what a unit test can show: nothing here is imported by the product, and
// nothing of the product but its plain words is imported here.
//
// Run it as root:
//
//	make e2e                        every scenario; the last line is "N passed, N failed"
//	make e2e E2E=uefi-pxe4          one scenario
//	make e2e E2E=two-nodes          every scenario whose name begins so
//	make e2e E2E=steer              how soon answers follow the health of servers: a table
//	make e2e E2E=dhcp               nodes that hand out addresses: boots, clients, storms, violence
//	make e2e E2E=dhcp-matrix        nodes that share leases, whatever fails, however machines ask: a table
//	make e2e E2E=bdm-efi            boot media of UEFI machines: dead servers, Secure Boot, a deaf DHCP server
//	E2E_ROUNDS=20 make e2e E2E=dhcp-kill    more rounds than CI has time for
//	E2E_REALTIME=1 make e2e         the failover scenarios with real clocks as well, for durations
//	SUREFOOT_BIN=PATH make e2e      prove that binary instead of a fresh build
//
// A scenario that fails leaves capture, serial logs, node logs and site files in
// testdata/out/SCENARIO/. Guests' clocks run up to 17 times too fast while they wait (QEMU's
// -icount), so no duration within a guest means anything without E2E_REALTIME.
package e2e
