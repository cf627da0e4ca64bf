package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
)

// half remembers the hash of what follows an offset of the whole file.
type half struct {
	from int64
	hash hash.Hash
}

func newHalf(from int64) *half { return &half{from: from, hash: sha256.New()} }

// write takes the part of the file that begins at an offset; h may be nil.
func (h *half) write(at int64, p []byte) {
	if h == nil {
		return
	}
	if skip := h.from - at; skip > 0 {
		p = p[min(skip, int64(len(p))):]
	}
	h.hash.Write(p)
}

// resume asks for the second half as a download does that was broken off (RFC 9110 section 14.2),
// and compares it with what came at first.
func (h *httpDownload) resume(ctx context.Context, tr *http.Transport, alive func()) *Fault {
	if h.half == nil {
		h.res.Notes = append(h.res.Notes, "nothing to resume: the server did not announce a size of two bytes or more")
		return nil
	}
	req, f := h.request(ctx, http.MethodGet)
	if f != nil {
		return f
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", h.half.from))
	h.note(true, fmt.Sprintf("GET %s from byte %d", escaped(h.target.File), h.half.from))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return h.fault(ctx, StepRequest, err)
	}
	defer resp.Body.Close()
	alive()
	said := resp.Header.Get("Content-Range")
	h.note(false, fmt.Sprintf("%s, %d bytes, Content-Range %s", clean(resp.Status), resp.ContentLength, quote(said)))
	if resp.StatusCode != http.StatusPartialContent {
		return &Fault{
			Step: StepRequest, Code: NoRange, Text: fmt.Sprintf("asked for a part of the file, the server answered %s", clean(resp.Status)),
			Hint: []string{"the server cannot resume: a download that breaks off begins anew, and iPXE's sanboot does not work"},
		}
	}
	if want := fmt.Sprintf("bytes %d-%d/%d", h.half.from, h.size-1, h.size); said != want {
		return &Fault{Step: StepRequest, Code: BadAnswer, Text: fmt.Sprintf("Content-Range is %s, expected %s", quote(said), want)}
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.TeeReader(resp.Body, waker(alive)))
	if err != nil {
		return h.fault(ctx, StepTransfer, err)
	}
	if !bytes.Equal(sum.Sum(nil), h.half.hash.Sum(nil)) {
		return &Fault{
			Step: StepContent, Code: WrongHash, Text: fmt.Sprintf("the %d bytes from byte %d on are others than in the whole file", n, h.half.from),
			Hint: []string{"the file was replaced between, or several servers with different files answer at this address"},
		}
	}
	return nil
}

// waker calls f for each piece.
type waker func()

func (w waker) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
