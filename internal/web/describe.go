package web

import (
	"fmt"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

// Describe says one step of a story in words, for page and command line.
func Describe(ev boot.Event) string {
	text := map[boot.Kind]string{
		boot.DiscoverSeen: "asks who can boot it", boot.OfferSent: "is offered", boot.RequestSeen: "takes an address",
		boot.BootRequestSeen: "asks on port 4011", boot.BootReplySent: "is told:", boot.Ignored: "is not answered",
		boot.ReadRequest: "asks for", boot.WriteRequest: "wants to upload", boot.Waiting: "waits for a place", boot.OptionsSent: "is granted", boot.Progress: "gets",
		boot.HTTPRequest: "asks by HTTP for", boot.ScriptSent: "gets its iPXE script",
		boot.AddressOffered: "is offered an address", boot.AddressGiven: "has the address", boot.AddressRefused: "is refused the address",
		boot.AddressEnded: "gives its address back", boot.AddressInUse: "somebody else has the address",
		boot.NameAsked: "asks for the name " + ev.Detail + ":",
	}[ev.Kind]
	if ev.Kind == boot.TransferEnd {
		if ev.Reason == boot.FileMissing {
			text = "no such file: " + ev.File
			if target := journal.StandsFor(ev.Detail); target != "" {
				text += ", which stands for " + target
			}
			if near := journal.Near(ev.Detail); near != "" {
				text += " (near: " + near + ")"
			}
			return text
		}
		text = ev.Reason.Text() + ":"
	}
	if ev.Kind == boot.RequestSeen {
		if ev.Detail != "" {
			return ev.Detail // which address, and whose
		}
		if ev.IP.IsValid() {
			text += " " + ev.IP.String()
		}
	}
	switch ev.Kind {
	case boot.AddressOffered, boot.AddressGiven, boot.AddressRefused, boot.AddressEnded, boot.AddressInUse:
		if ev.IP.IsValid() {
			text += " " + ev.IP.String()
		}
	}
	if ev.File != "" && ev.Kind != boot.DiscoverSeen && ev.Kind != boot.RequestSeen && ev.Kind != boot.Waiting {
		text += " " + ev.File
	}
	if ev.Template != "" && ev.Reason == boot.Done {
		text += " made from " + ev.Template
	}
	if ev.Version != "" && ev.Reason == boot.Done {
		text += " of version " + ev.Version
	}
	if ev.Server != "" {
		text += " from " + ev.Server
	}
	if ev.Backend != "" && (ev.Kind == boot.OptionsSent || ev.Kind == boot.TransferEnd) {
		text += " from backend " + ev.Backend
	}
	if ev.Options != "" {
		text += " (" + ev.Options + ")"
	}
	if ev.Quirk != "" && (ev.Kind == boot.OptionsSent || ev.Kind == boot.TransferEnd) {
		text += " [" + ev.Quirk + "]"
	}
	if ev.Kind == boot.Stalled {
		what := "its options"
		if ev.PauseAt > 0 {
			what = fmt.Sprintf("block %d", ev.PauseAt)
		}
		return fmt.Sprintf("no ACK of %s of %s for %s, %s of %s", what, ev.File, ev.Pause.Round(100*time.Millisecond), journal.Size(ev.Bytes), journal.Size(ev.Size))
	}
	if ev.Kind == boot.Progress || ev.Kind == boot.TransferEnd && ev.Bytes > 0 {
		text += fmt.Sprintf(", %s of %s", journal.Size(ev.Bytes), journal.Size(ev.Size))
		if ev.Dur >= time.Millisecond {
			text += " in " + ev.Dur.Round(time.Millisecond).String()
		}
	}
	if ev.Retransmits > 0 {
		text += fmt.Sprintf(", %d packets repeated", ev.Retransmits)
	}
	if ev.Reason != "" && (ev.Kind == boot.Ignored || ev.Kind == boot.Waiting) {
		text += ": " + ev.Reason.Text()
	}
	if ev.Detail != "" && !ev.Reason.Good() {
		text += " [" + ev.Detail + "]"
	}
	return text
}
