// Package nat balances by nftables: by writing the backend's address over the service's (nat), the
// node's over the client's as well (snat), or nothing but the MAC (dsr, where the kernel permits no BPF).
// The rules stand in tables of our own, inet surefoot_lb and netdev surefoot_dsr, and nothing else is
// touched. They are a pure function of the services and of what stands there already; each change is one
// transaction, which keeps counters and the backends that clients have.
//
// TFTP answers from another port, and the kernel's helper for it (nf_conntrack_tftp) lets that answer
// be a part of the request: it is assigned explicitly, as kernels do not do that by themselves any more.
// Who is alive, and whether this node has the address, it is told.
package nat

const (
	familyNAT, tableNAT       = "inet", "surefoot_lb"
	familyDirect, tableDirect = "netdev", "surefoot_dsr"
)
