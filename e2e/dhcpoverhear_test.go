package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"surefoot/internal/lab"
)

// overheard is all that passes an interface of DHCP for or from its own hardware address.
type overheard struct {
	mu   sync.Mutex // guards what follows
	list []heardMessage
	more chan struct{} // closed when the list grows
}

// overhear listens at an interface until the test ends.
func (n *dhcpNet) overhear(part, dev string) *overheard {
	n.t.Helper()
	mac := n.mac(part, dev)
	o := &overheard{more: make(chan struct{})}
	var sock *os.File
	err := n.inside(part).do(func() error {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		sock = os.NewFile(uintptr(fd), dev)
		all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff}) // what leaves, too
		return errors.Join(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}))
	})
	if err != nil {
		n.t.Fatalf("%s: %v", dev, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			k, err := sock.Read(b)
			if err != nil {
				return // closed
			}
			u, ok := lab.Frame{Bytes: b[:k]}.UDP()
			if !ok {
				continue
			}
			if text, ok := messageOf(u, mac); ok {
				if p, err := dhcpv4.FromBytes(u.Payload); err == nil {
					o.add(heardMessage{text, u.Src.Addr(), p})
				}
			}
		}
	}()
	n.t.Cleanup(func() {
		_ = sock.Close()
		<-done
	})
	return o
}

func (o *overheard) add(m heardMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, m)
	close(o.more)
	o.more = make(chan struct{})
}

// await waits until messages that begin so came, in this order, from number from on.
func (o *overheard) await(t *testing.T, from int, wanted ...string) {
	t.Helper()
	limit := time.NewTimer(40 * time.Second)
	defer limit.Stop()
	for {
		o.mu.Lock()
		i, more := 0, o.more
		for _, m := range o.list[from:] {
			if i < len(wanted) && strings.HasPrefix(m.text, wanted[i]) {
				i++
			}
		}
		o.mu.Unlock()
		if i == len(wanted) {
			return
		}
		select {
		case <-more:
		case <-limit.C:
			t.Fatalf("the messages are %q, want %q after the first %d", o.texts(0), wanted, from)
		}
	}
}

func (o *overheard) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.list)
}

func (o *overheard) texts(from int) (list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.list[from:] {
		list = append(list, m.text)
	}
	return list
}

// last is the last message that begins so; there must be one.
func (o *overheard) last(text string) heardMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.list) - 1; ; i-- {
		if strings.HasPrefix(o.list[i].text, text) {
			return o.list[i]
		}
	}
}
