package storm

import (
	"context"
	"runtime"
	"time"

	"surefoot/internal/probe"
)

// Run downloads the file once to know it, and then as the configuration says. It returns what was
// seen when all is done, and when ctx ends, then with what there is. A *probe.Fault is a first
// download that failed: there was no storm.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	want, err := learn(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r, err := newRunner(cfg, want)
	if err != nil {
		return nil, err
	}
	defer r.close()
	cpu := usage()
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	cpu = usage() - cpu
	res := r.result()
	res.CPU = time.Duration(cpu)
	res.Target = probe.Target{Scheme: "tftp", Host: cfg.Server.Addr().String(), Port: cfg.Server.Port(), File: cfg.File}.String()
	res.Size, res.SHA256 = int64(len(want)), sumOf(want)
	res.Interrupted = ctx.Err() != nil
	res.Meaning = res.meaning()
	return res, nil
}

// learn downloads the file as the first kind of client does, without loss.
func learn(ctx context.Context, cfg Config) ([]byte, error) {
	one := Config{Server: cfg.Server, File: cfg.File, Clients: 1, As: cfg.As, Window: cfg.Window, BlockSize: cfg.BlockSize, From: cfg.From}
	r, err := newRunner(one, nil)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	c := &r.slots[0].client
	switch {
	case !c.done:
		return nil, ctx.Err()
	case c.fault != nil:
		return nil, c.fault
	}
	want := c.content.kept.Bytes()
	return want, checkSum(want, cfg.SHA256)
}
