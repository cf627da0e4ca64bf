package app

import (
	"context"
	"errors"
	"log/slog"
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
	if dir, is := bpf.Left(); is {
		left = append(left, "BPF programs and maps in "+dir)
	}
	return left, nil
}

func removePaths() error {
	bpfPlane := dsr.New(dsr.Config{}, dsr.Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	return errors.Join(nat.New(nat.Deps{}).Remove(), nat.NewDirect(nat.Deps{}).Remove(), bpfPlane.Remove())
}
