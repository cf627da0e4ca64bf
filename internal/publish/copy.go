package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is told how many bytes of how many are done.
type Progress func(done, total int64)

// counter tells of progress, not at every piece.
type counter struct {
	done, total int64
	tell        Progress
	told        time.Time
}

func (c *counter) add(n int) {
	c.done += int64(n)
	if now := time.Now(); c.tell != nil && (now.Sub(c.told) > 100*time.Millisecond || c.done == c.total) {
		c.told = now
		c.tell(c.done, c.total)
	}
}

// total is the size of all files of a list.
func total(list []part) int64 {
	var n int64
	for _, p := range list {
		if p.isFile() {
			n += p.size
		}
	}
	return n
}

// copyTree copies what was scanned into a new directory, reads the hashes on the way, and lets
// all of it reach the disk.
func (r *Root) copyTree(ctx context.Context, src *os.Root, list []part, to string, c *counter) ([]Item, error) {
	r.step("make " + to)
	if err := r.mkdir(to); err != nil {
		return nil, err
	}
	var items []Item
	dirs := []string{to}
	hashes := map[string]Item{}
	for _, p := range list {
		target := path.Join(to, p.name)
		switch {
		case p.mode.IsDir():
			if err := r.mkdir(target); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, plain(err))
			}
			dirs = append(dirs, target)
		case p.isLink():
			if err := r.root.Symlink(p.link, target); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, plain(err))
			}
		default:
			r.step("copy " + p.name)
			hash, err := r.copyFile(ctx, src, p, target, c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, plain(err))
			}
			it := Item{Name: p.name, Size: p.size, SHA256: hash}
			hashes[p.name] = it
			items = append(items, it)
		}
	}
	links, err := linkItems(ctx, r.root, to, list)
	if err != nil {
		return nil, err
	}
	items = append(items, links...)
	sortItems(items)
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := r.sync(dirs[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", dirs[i], plain(err))
		}
	}
	return items, nil
}

// mkdir makes a directory that everybody may enter, whatever the umask: the server has its own user.
func (r *Root) mkdir(name string) error {
	if err := r.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return r.root.Chmod(name, 0o755)
}

// copyFile copies one file and returns its hash. A file that changes meanwhile is no version of
// anything.
func (r *Root) copyFile(ctx context.Context, src *os.Root, p part, target string, c *counter) (string, error) {
	in, err := openRegular(src, p.name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := r.root.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	n, err := pour(ctx, io.MultiWriter(out, h), in, c)
	if err == nil {
		err = unchanged(in, p, n)
	}
	if err == nil {
		err = out.Chmod(0o644)
	}
	if err == nil {
		err = out.Sync()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), r.root.Chtimes(target, time.Time{}, p.mod)
}

// openRegular opens a file without waiting for what may have taken its place.
func openRegular(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.New("it is no regular file any more")
	}
	return f, nil
}

// pour copies in pieces, so that an interruption counts at once.
func pour(ctx context.Context, w io.Writer, r io.Reader, c *counter) (int64, error) {
	buf := make([]byte, 256<<10)
	var sum int64
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return sum, werr
			}
			sum += int64(n)
			c.add(n)
		}
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
	}
}

func unchanged(f *os.File, p part, n int64) error {
	fi, err := f.Stat()
	if err == nil && (n != p.size || fi.Size() != p.size || !fi.ModTime().Equal(p.mod)) {
		err = errors.New("it was changed while it was read: try again when nobody writes to it")
	}
	return err
}
