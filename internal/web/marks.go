package web

import (
	"surefoot/internal/boot"
	"surefoot/internal/journal"
)

// mark is one field of the bar that shows how far a boot came.
type mark struct {
	Name  string
	State string // "done", "now", "bad", or "" for a step that was not reached
}

// marksOf makes the bar of a story, of the steps of its last stage: discover, offer, address,
// 4011 or script where the firmware goes that way, request, options, and how it stands.
func marksOf(s journal.Story) []mark {
	st := s.Stage()
	var out []mark
	add := func(name string, kinds ...boot.Kind) {
		m := mark{Name: name}
		for _, k := range kinds {
			if st.Has(k) {
				m.State = "done"
			}
		}
		out = append(out, m)
	}
	if !s.MAC.IsZero() { // else it is a download by somebody whose DHCP goes elsewhere
		add("discover", boot.DiscoverSeen)
		add("offer", boot.OfferSent)
		add("address", boot.RequestSeen)
	}
	if st.Has(boot.BootRequestSeen) || s.Firmware == boot.FirmwareEDK2 {
		add("4011", boot.BootReplySent)
	}
	if st.Has(boot.ScriptSent) {
		add("script", boot.ScriptSent)
	}
	if st.Has(boot.HTTPRequest) || s.Firmware == boot.FirmwareUEFIHTTP {
		add("http", boot.HTTPRequest)
	} else {
		add("rrq", boot.ReadRequest)
		if st.Has(boot.OptionsSent) || !st.Delivered { // a client without options gets none
			add("oack", boot.OptionsSent)
		}
	}
	return append(out, result(s))
}

// result is the last mark: how the story stands.
func result(s journal.Story) mark {
	switch s.State {
	case journal.Done:
		return mark{"delivered", "done"}
	case journal.Stuck:
		return mark{"stuck", "bad"}
	case journal.Ended:
		return mark{"ended", ""}
	}
	return mark{"delivered", "now"}
}

// program names what runs on the machine: its firmware, and the stages that it loaded.
func program(s journal.Story) string {
	out := ""
	for _, st := range s.Stages {
		if st.Firmware == "" {
			continue
		}
		if out != "" {
			out += " → "
		}
		out += string(st.Firmware)
	}
	if s.Arch != nil {
		out += " " + s.Arch.String()
	}
	return out
}
