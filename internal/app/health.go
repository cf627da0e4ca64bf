package app

import (
	"sync/atomic"

	"surefoot/internal/boot"
)

// localHealth is what this node knows of itself without a monitor: a file that is not in its
// own root cannot be handed out by it.
type localHealth struct{ now atomic.Pointer[setup] }

func (h *localHealth) down(server, file string) bool {
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
