package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"surefoot/internal/watch"
)

// sample is what the node has done and taken so far.
type sample struct {
	at, counted     time.Time // when the process was looked at, and the tests counted
	user, sys       time.Duration
	rss, peak       float64 // MiB
	runs, bad, late float64
	repeats         float64
	up              int // servers
	lost            float64
}

// begin and end look at the node, each in the order in which answering for its metrics is no part of what
// is measured: ten thousand tests have seventy thousand lines.
func (s *site) begin(ctx context.Context) (sample, error) {
	counts, err := s.counts(ctx)
	if err != nil {
		return counts, err
	}
	return s.process(counts)
}

func (s *site) end(ctx context.Context) (sample, error) {
	used, err := s.process(sample{})
	if err != nil {
		return used, err
	}
	out, err := s.counts(ctx)
	out.at, out.user, out.sys, out.rss, out.peak = used.at, used.user, used.sys, used.rss, used.peak
	return out, err
}

// counts reads what the tests did.
func (s *site) counts(ctx context.Context) (sample, error) {
	out := sample{counted: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.status+"/metrics", nil)
	if err != nil {
		return sample{}, err
	}
	r, err := s.http.Do(req)
	if err != nil {
		return sample{}, err
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		v, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			continue
		}
		switch name, _, _ := strings.Cut(f[0], "{"); name {
		case watch.MetricRuns:
			out.runs += v
		case watch.MetricFaults:
			out.bad += v
		case watch.MetricRetransmits:
			out.repeats += v
		case watch.MetricLateStarts:
			out.late += v
		case watch.MetricServerUp:
			out.up += int(v)
		case "surefoot_history_lost_total":
			out.lost += v
		}
	}
	return out, lines.Err()
}

// process reads the kernel's figures of the node (proc(5)): user and system time in stat are in ticks of
// 10 ms.
func (s *site) process(out sample) (sample, error) {
	out.at = time.Now()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid()))
	if err != nil {
		return out, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return out, fmt.Errorf("/proc/%d/stat has %d fields", s.pid(), len(f))
	}
	tick := func(s string) time.Duration {
		n, _ := strconv.ParseInt(s, 10, 64)
		return time.Duration(n) * 10 * time.Millisecond
	}
	out.user, out.sys = tick(f[11]), tick(f[12]) // utime and stime, fields 14 and 15
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return out, err
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			out.rss = kib / 1024
		case "VmHWM:":
			out.peak = kib / 1024
		}
	}
	return out, nil
}
