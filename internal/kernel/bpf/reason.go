package bpf

// Reason is why a packet did not go to a backend. The order is that of dsr.c.
type Reason uint32

// Reasons of the data path.
const (
	NotIP Reason = iota
	Truncated
	BadHeader
	OtherAddress
	OtherMAC
	Standby
	Neighbour
	Spoofed
	Balanced
	NoBackend
	OtherPort
	reasons
)

// Reasons lists them.
func Reasons() []Reason {
	out := make([]Reason, reasons)
	for i := range out {
		out[i] = Reason(i)
	}
	return out
}

// String is the reason's name in metrics and documents.
func (r Reason) String() string { return r.words()[0] }

// Text says what it means.
func (r Reason) Text() string { return r.words()[1] }

func (r Reason) words() [2]string {
	switch r {
	case NotIP:
		return [2]string{"not-ip", "no IPv4 or IPv6, as ARP, or more than two VLAN tags: left to the kernel"}
	case Truncated:
		return [2]string{"truncated", "shorter than its header says: left to the kernel, which drops and counts it"}
	case BadHeader:
		return [2]string{"bad-header", "an IP header with a wrong version or length: left to the kernel, which drops and counts it"}
	case OtherAddress:
		return [2]string{"other-address", "not for the address of a service: left to the kernel"}
	case OtherMAC:
		return [2]string{"other-mac", "for a service, but the frame is for another node: the switch floods it"}
	case Standby:
		return [2]string{"standby", "for a service whose address another node has at present"}
	case Neighbour:
		return [2]string{"neighbour", "IPv6 neighbour discovery about the service's address itself: left to the kernel, which answers it"}
	case Spoofed:
		return [2]string{"spoofed", "says that the service itself has sent it: dropped"}
	case Balanced:
		return [2]string{"balanced", "comes from a backend, so another balancer has decided already: left to the kernel of this node"}
	case NoBackend:
		return [2]string{"no-backend", "no backend of the service is alive and has a known MAC: left to the kernel of this node"}
	case OtherPort:
		return [2]string{"other-port", "for a port that the service does not name (`ports`), from a client without a transfer: left to the kernel of this node"}
	default:
		return [2]string{"unknown", "not known to this version"}
	}
}
