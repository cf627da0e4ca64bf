package app

import (
	"surefoot/internal/lb"
	"surefoot/internal/lb/dsr"
)

// dsrKind takes the services with direct server return that the kernel's BPF programs carry.
func (a *App) dsrKind() *kind {
	return &kind{
		name: "dsr", plane: dsr.New(dsr.Config{}, dsr.Deps{Log: a.log, Now: a.now}),
		takes: func(s lb.Service) bool { return s.Mode == lb.DSR && s.Plane != lb.PlaneNFT },
	}
}
