package iface

import (
	"encoding/hex"
	"fmt"
	"log/slog"

	"surefoot/internal/boot"
)

// Fault makes of a panic while working on one packet a log line with the packet, and the event that counts it,
// so that one odd packet cannot stop a site. Whoever works on packets recovers, and asks for it then.
func Fault(log *slog.Logger, role, name string, panicked any, packet []byte) boot.Event {
	text := fmt.Sprint(panicked)
	log.Error("fault while working on a packet, please report it", "role", role, "if", name, "panic", text, "packet", hex.EncodeToString(packet))
	return boot.Event{Kind: boot.Ignored, If: name, Reason: boot.Panicked, Detail: text}
}
