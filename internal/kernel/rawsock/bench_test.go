package rawsock

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkFrames writes frames over a cable and reads them at its other end, one a call and 64 a call.
func BenchmarkFrames(b *testing.B) {
	for name, size := range map[string]int{"one": 1, "64": MaxBatch} {
		b.Run(name, func(b *testing.B) {
			done := make(chan struct{})
			go func() { // on a thread that ends with it: it changes its namespace
				defer close(done)
				runtime.LockOSThread()
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					b.Error(err)
					return
				}
				exchange(b, size)
			}()
			<-done
		})
	}
}

func exchange(b *testing.B, size int) {
	tx, rx, to := cable(b, 67)
	if b.Failed() {
		return
	}
	defer tx.Close()
	defer rx.Close()
	frames, _ := numbered(to, size)
	s, batch, one := NewSender(), NewBatch(), make([]byte, MaxFrame)
	_ = rx.SetReadDeadline(time.Now().Add(5 * time.Minute))
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += size {
		if size == 1 {
			errW := tx.Write(frames[0])
			_, errR := rx.Read(one)
			if errW != nil || errR != nil {
				b.Error(errW, errR)
				return
			}
			continue
		}
		if _, err := tx.WriteBatch(s, frames); err != nil {
			b.Error(err)
			return
		}
		for got := 0; got < size; {
			n, err := rx.ReadBatch(batch)
			if err != nil {
				b.Error(err)
				return
			}
			got += n
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
