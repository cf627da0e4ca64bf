package app

import (
	"sync/atomic"

	"surefoot/internal/boot"
)

// siteHealth is what every answer goes by: what this node knows of its own files, and what the
// monitor found out, drains included.
type siteHealth struct {
	now     atomic.Pointer[setup]
	watched boot.Down // set before anything runs
}

// down reports whether a server is not to be named for a file.
func (h *siteHealth) down(server, file string, by boot.Protocol) bool {
	return h.lacks(server, file) || h.watched != nil && h.watched(server, file, by)
}

// lacks tells of this node alone, without a monitor: a file that is not in its own root cannot be
// handed out by it.
func (h *siteHealth) lacks(server, file string) bool {
	s := h.now.Load()
	return s != nil && server == s.Node.Name && !s.files.Has(file)
}

// testName is a name under which the built-in test bootstrap is found, for the word that rules
// use for it; every other name stands for itself.
func testName(file string) string {
	if file == boot.TestBootstrap {
		return boot.TestBootstrapX64
	}
	return file
}
