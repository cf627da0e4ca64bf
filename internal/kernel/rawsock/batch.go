package rawsock

// MaxBatch is how many frames one system call reads or writes.
const MaxBatch = 64

// Batch is the memory for reading frames many at a time. It belongs to one reader.
type Batch struct {
	n      int
	frames [MaxBatch][MaxFrame]byte
	lens   [MaxBatch]int
}

// NewBatch returns an empty one.
func NewBatch() *Batch { return new(Batch) }

// Len returns how many frames the last ReadBatch brought.
func (b *Batch) Len() int { return b.n }

// Frame returns one of them, until the next ReadBatch.
func (b *Batch) Frame(i int) []byte { return b.frames[i][:b.lens[i]] }

// Sender is the memory for writing frames, or IPv4 packets, many at a time. It belongs to one writer.
type Sender struct{ Stats SendStats }

// NewSender returns one.
func NewSender() *Sender { return new(Sender) }

// SendStats counts what happened to what was to be sent.
type SendStats struct {
	Sent   uint64 // left
	Lost   uint64 // did not leave, see WriteBatch
	Waited uint64 // how often the socket's buffer or the card's queue was full
	Calls  uint64 // system calls
}

// ReadBatch waits for a frame and reads it and up to 63 more that have come. Its errors are those of Read.
func (p *PacketConn) ReadBatch(b *Batch) (int, error) {
	n, err := p.Read(b.frames[0][:])
	if err != nil {
		b.n = 0
		return 0, err
	}
	b.lens[0], b.n = n, 1
	return 1, nil
}

// WriteBatch sends frames in their order. It returns how many left, and the error of the first one that did
// not; the others are sent all the same.
func (p *PacketConn) WriteBatch(s *Sender, frames [][]byte) (int, error) {
	sent, first := 0, error(nil)
	for _, f := range frames {
		if err := p.Write(f); err == nil {
			sent++
		} else if first == nil {
			first = err
		}
	}
	return sent, first
}

// WriteBatch sends packets as Write does, and fails as PacketConn.WriteBatch.
func (c *IPv4Conn) WriteBatch(s *Sender, packets [][]byte) (int, error) {
	sent, first := 0, error(nil)
	for _, f := range packets {
		if err := c.Write(f); err == nil {
			sent++
		} else if first == nil {
			first = err
		}
	}
	return sent, first
}
