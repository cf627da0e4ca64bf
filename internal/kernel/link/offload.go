package link

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// How a BPF program hangs on an interface for XDP.
const (
	XDPNone    = ""
	XDPNative  = "native"  // in the driver
	XDPGeneric = "generic" // in the kernel, before its network stack
	XDPCard    = "card"
)

// Kind returns the kind of an interface, as in veth ("device" for a card), and how XDP hangs on it.
func Kind(name string) (kind, xdp string, err error) {
	l, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return "", "", &MissingError{Name: name}
	}
	if err != nil {
		return "", "", fmt.Errorf("interface %s: %w", name, err)
	}
	if x := l.Attrs().Xdp; x != nil && x.Attached {
		xdp = map[uint32]string{1: XDPNative, 2: XDPGeneric, 3: XDPCard}[x.AttachMode] // IFLA_XDP_ATTACHED
	}
	return l.Type(), xdp, nil
}
