package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"surefoot/internal/kernel/bpf"
	"surefoot/internal/lb/dsr"
	"surefoot/internal/lb/nat"
)

// leftOfPaths says what data paths stand in the kernel, be it by this program or by one before.
func leftOfPaths(ctx context.Context) ([]string, error) {
	left, err := nat.Left(ctx)
	if err != nil {
		return nil, err
	}
	if dir, err := bpf.Place(); err == nil {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			left = append(left, "BPF programs and maps in "+dir)
		}
	}
	return left, nil
}

func removePaths() error {
	err := errors.Join(nat.New(nat.Deps{}).Remove(), nat.NewDirect(nat.Deps{}).Remove())
	dir, placeErr := bpf.Place()
	if placeErr != nil {
		return err // nothing can be there
	}
	if entries, readErr := os.ReadDir(dir); readErr != nil || len(entries) == 0 {
		return err
	}
	return errors.Join(err, dsr.New(dsr.Config{Dir: dir}, dsr.Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now}).Remove())
}
