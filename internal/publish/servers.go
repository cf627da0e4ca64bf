package publish

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"surefoot/internal/probe"
)

// Server is who is asked for the files.
type Server struct {
	Name string `json:"name"`
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// String is where the server is.
func (s Server) String() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
}

// Wanted is a name that clients ask for, and what they are to get.
type Wanted struct {
	Name   string
	SHA256 string
	Size   int64
}

// Delivered is what a server handed out.
type Delivered struct {
	Server
	OK          bool          `json:"ok"`
	Files       int           `json:"files"` // that are the same
	Bytes       int64         `json:"bytes"` // that came
	Took        time.Duration `json:"took_ns"`
	Differences []Difference  `json:"differences"`
}

// Download fetches every file from a server by TFTP, as a machine would, and compares what came.
// A server that does not answer any more is asked for nothing else.
func Download(ctx context.Context, s Server, want []Wanted, o probe.Options, tell Progress) (Delivered, error) {
	d := Delivered{Server: s, Differences: []Difference{}}
	start := time.Now()
	c := &counter{tell: tell}
	for _, w := range want {
		c.total += w.Size
	}
	for i, w := range want {
		base := c.done
		o.Progress = func(received, _ int64) {
			if tell != nil {
				tell(base+received, c.total)
			}
		}
		o.MaxTime = 10*time.Minute + time.Duration(w.Size/100_000)*time.Second // 100 KB/s are slow
		res := probe.TFTP(ctx, probe.Target{Scheme: "tftp", Host: s.Host, Port: s.Port, File: w.Name}, o)
		if err := ctx.Err(); err != nil {
			return d, err
		}
		c.add(int(w.Size))
		d.Bytes += res.Size
		diff, gone := judge(w, res)
		if diff == nil {
			d.Files++
			continue
		}
		d.Differences = append(d.Differences, *diff)
		if gone {
			for _, rest := range want[i+1:] {
				d.Differences = append(d.Differences, Difference{File: rest.Name, Kind: NotAsked, Expected: rest.SHA256})
			}
			break
		}
	}
	d.Took = time.Since(start)
	d.OK = len(d.Differences) == 0
	return d, nil
}

// judge compares a download with what was wanted. gone says that there is nobody to ask any more.
func judge(w Wanted, res probe.Result) (diff *Difference, gone bool) {
	f := res.Fault
	switch {
	case f != nil && f.Code == probe.ShortFile && w.Size == 0 && res.Size == 0:
		return nil, false // an empty file boots nothing, but is what it should be
	case f == nil && res.SHA256 == w.SHA256:
		return nil, false
	case f == nil:
		return &Difference{File: w.Name, Kind: Changed, Expected: w.SHA256, Found: res.SHA256, Text: sizes(w.Size, res.Size)}, false
	}
	gone = slices.Contains([]probe.Code{probe.NotResolved, probe.Unreachable, probe.Refused, probe.NoAnswer, probe.LocalError, probe.WrongAddress}, f.Code)
	return &Difference{File: w.Name, Kind: NotDelivered, Expected: w.SHA256, Found: res.SHA256, Text: fmt.Sprintf("%s (%s)", f.Text, f.Code)}, gone
}

func sortDifferences(list []Difference) {
	slices.SortFunc(list, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Kind, b.Kind)) })
}
