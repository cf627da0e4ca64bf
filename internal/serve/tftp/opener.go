package tftp

import (
	"sync"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// openers is how many files are opened or read from a slow disk at the same time. A disk that
// hangs holds these and not a loop: transfers of what is in memory go on.
const openers = 16

// maxJobs is how many jobs may wait for them: more than any storm brings within the time that a
// healthy disk takes for one.
const maxJobs = 8192

// opener is the pool of goroutines that touch the disk for the loops.
type opener struct {
	jobs chan job
	wg   sync.WaitGroup
}

// job is what a worker does for a transfer; meanwhile the worker owns the fields that it is about.
type job struct {
	t    *transfer
	what func(*transfer)
}

func startOpener(queue int) *opener {
	o := &opener{jobs: make(chan job, queue)}
	for range openers {
		o.wg.Go(func() {
			for j := range o.jobs {
				j.what(j.t)
			}
		})
	}
	return o
}

// submit reports whether there was room for the job.
func (o *opener) submit(j job) bool {
	select {
	case o.jobs <- j:
		return true
	default:
		return false
	}
}

func (o *opener) stop() {
	close(o.jobs)
	o.wg.Wait()
}

// openFile opens file and socket, agrees on the options, and hands the transfer to its loop.
func openFile(t *transfer) {
	n := note{t: t, kind: opened}
	defer func() {
		n.fault = recover()
		t.l.post(n)
	}()
	if v, ok := t.open(); !ok {
		t.refusal = &v
	}
}

// readAhead reads from the disk what the page cache did not have.
func readAhead(t *transfer) {
	n := note{t: t, kind: haveRead}
	defer func() {
		n.fault = recover()
		t.l.post(n)
	}()
	t.disk.read(t.size, t.s.running.count())
}

func (t *transfer) open() (verdict, bool) {
	root := t.s.files.Load()
	f, err := root.OpenFor(t.asked.File, files.Asker{
		IP: t.ends.client.Addr().Unmap(), Server: t.ends.local.Unmap(), Who: t.s.deps.Who,
	})
	if err != nil {
		return judgeOpen(t.asked.File, err), false
	}
	t.tale.file, t.tale.version, t.tale.template = f.Name(), f.Version(), f.Template()
	t.data = t.s.cache.content(f, t.asked.IsNetascii())
	switch {
	case t.data != nil:
		t.size = int64(len(t.data))
	case t.asked.IsNetascii():
		t.size, err = netasciiSize(f, f.Size())
	default:
		t.size = f.Size()
	}
	if err != nil {
		_ = f.Close()
		return judgeOpen(t.asked.File, err), false
	}
	t.tale.size = t.size
	v, ok := t.serve(t.size)
	switch {
	case t.data != nil || !ok: // the copy is all that is needed
		_ = f.Close()
	default:
		t.readFrom(f, t.m.profile)
	}
	return v, ok
}

// serve agrees on the options for a content of size bytes (< 0: not known), makes the machine, and
// opens the socket.
func (t *transfer) serve(size int64) (verdict, bool) {
	p, granted := t.negotiate(size)
	_, tsize := wire.Lookup(granted, wire.OptTsize)
	t.granted, t.m = granted, newSender(max(size, 0), p, len(granted) > 0, tsize)
	t.m.mind(mannersFor(t.asked))
	if t.s.cfg.Ports.Single {
		return verdict{}, true
	}
	fd, err := openTransfer(t.ends.local, &t.s.ports)
	if err != nil {
		return verdict{
			reason: boot.SendFailed, detail: "open a socket for the transfer: " + err.Error(),
			code: wire.ErrUndefined, text: "server busy, try again later",
		}, false
	}
	t.fd = fd
	return verdict{}, true
}
