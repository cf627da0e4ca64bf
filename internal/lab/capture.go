package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Capture sees every frame on a bridge of the lab, keeps them in a file and tells whoever
// watches. Frames are seen by the time they pass, in the order in which they pass.
type Capture struct {
	Path string // pcap file
	sock *os.File
	file *pcapWriter
	buf  []byte
	done chan struct{}

	paused atomic.Bool

	mu       sync.Mutex // guards watchers
	watchers []func(Frame)
}

// Frame is an Ethernet frame as it passed the bridge. The bytes are the watcher's to keep.
type Frame struct {
	At    time.Time
	Bytes []byte
}

// maxFrame is more than an Ethernet frame of the lab holds, with room for merged segments.
const maxFrame = 65536 + 64

// Capture starts to record a bridge into a file. Close ends it; the lab does not.
func (l *Lab) Capture(path string, behindRelay bool) (*Capture, error) {
	dev := bridge
	if behindRelay {
		dev = relayBridge
	}
	sock, err := l.PacketSocket(partSwitch, dev)
	if err != nil {
		return nil, err
	}
	w, err := newPcap(path)
	if err != nil {
		sock.Close()
		return nil, err
	}
	c := &Capture{Path: path, sock: sock, file: w, buf: make([]byte, maxFrame), done: make(chan struct{})}
	go c.run()
	return c, nil
}

// PacketSocket opens a raw socket on an interface of a part of the lab: it reads every frame
// that passes and writes frames as they are.
func (l *Lab) PacketSocket(part, dev string) (*os.File, error) {
	var f *os.File
	err := l.Inside(part, func() error {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		all := htons(unix.ETH_P_ALL)
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), dev)
		// Promiscuous: a bridge hands itself only what is for it.
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
				&unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_PROMISC}),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}))
	})
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, fmt.Errorf("packet socket on %s of lab %s: %w", dev, l.ID, err)
	}
	return f, nil
}

// htons puts a number of 16 bits into network byte order.
func htons(v uint16) uint16 { return v<<8 | v>>8 }

func (c *Capture) run() {
	defer close(c.done)
	raw, err := c.sock.SyscallConn()
	if err != nil {
		return // closed
	}
	for {
		var f Frame
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			f, failed = receive(int(fd), c.buf)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil || failed != nil {
			return // closed
		}
		c.mu.Lock()
		watchers := c.watchers
		c.mu.Unlock()
		for _, w := range watchers {
			w(f)
		}
		if !c.paused.Load() {
			c.file.write(f)
		}
	}
}

// Record says whether frames are written to the file, as they are from the start: a flood would
// fill the disk. Watchers see every frame in any case.
func (c *Capture) Record(on bool) { c.paused.Store(!on) }

// receive takes the next frame, with the time at which the kernel saw it: a watcher may be slow.
func receive(fd int, buf []byte) (Frame, error) {
	control := make([]byte, 128)
	n, k, _, _, err := unix.Recvmsg(fd, buf, control, 0)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{At: time.Now(), Bytes: append([]byte(nil), buf[:n]...)}
	messages, err := unix.ParseSocketControlMessage(control[:k])
	if err != nil {
		return f, nil //nolint:nilerr // the frame is whole, only its time is a little late
	}
	for _, m := range messages {
		if m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			f.At = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return f, nil
}

// Watch calls f for every frame from now on, in the capture's own goroutine: f must be quick,
// and while it runs no later frame is recorded.
func (c *Capture) Watch(f func(Frame)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers[:len(c.watchers):len(c.watchers)], f)
}

// Close ends the capture; the file is complete when it returns.
func (c *Capture) Close() error {
	err := c.sock.Close()
	<-c.done
	return errors.Join(err, c.file.close())
}
