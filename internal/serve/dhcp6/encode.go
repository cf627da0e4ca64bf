package dhcp6

import (
	"time"

	"surefoot/internal/boot"
	wire "surefoot/internal/wire/dhcp6"
	"surefoot/internal/wire/pxe"
)

// Append writes the answer of an outcome at the end of dst, within what the relays want back. h must be what was
// decided about.
func (d *Decider) Append(dst []byte, h Heard, o *Outcome) ([]byte, error) {
	w, v := &d.writer, h.View
	w.Begin(dst, v, o.Reply)
	if id := v.ClientID(); id != nil {
		w.Put(wire.ClientID, id)
	}
	w.Put(wire.ServerID, d.p.cfg.DUID)
	if o.Rapid {
		w.Put(wire.RapidCommit, nil)
	}
	if o.Said {
		w.PutStatus(o.Status, statusText(o.Status))
	}
	for i := range o.Bindings {
		d.binding(w, o, &o.Bindings[i])
	}
	if v.Type() == wire.Confirm || v.Type() == wire.Release || v.Type() == wire.Decline || o.Said {
		return w.End()
	}
	if o.Reply == wire.Advertise && o.scope.Preference > 0 {
		w.Put(wire.PreferenceOpt, []byte{o.scope.Preference})
	}
	d.options(w, v, o)
	return w.End()
}

// binding writes one identity association.
func (d *Decider) binding(w *wire.Writer, o *Outcome, b *Binding) {
	ia, given := b.IA, b.Grant.Record.Addr.IsValid()
	valid := seconds(b.Grant.For)
	if given {
		ia.T1, ia.T2 = part(b.Grant.For, o.scope.Renew), part(b.Grant.For, o.scope.Rebind)
	}
	w.BeginIA(ia)
	if given {
		w.PutAddress(b.Grant.Record.Addr, valid, valid)
	}
	for _, a := range b.Gone {
		w.PutAddress(a, 0, 0)
	}
	if b.Status != wire.Success {
		w.PutStatus(b.Status, b.Reason.Text())
	}
	w.EndIA()
}

func part(d time.Duration, f float64) uint32 { return seconds(time.Duration(float64(d) * f)) }

// seconds is a time as lifetimes have it; the last value means for ever, which nothing is here.
func seconds(d time.Duration) uint32 {
	return uint32(min(max(int64(d/time.Second), 0), wire.Infinity-1))
}

// options writes what the client asks for, and what it is to boot.
func (d *Decider) options(w *wire.Writer, v *wire.View, o *Outcome) {
	asked := v.Options()
	for _, x := range o.scope.options {
		if asked.Asks(x.code) {
			w.Put(x.code, x.data)
		}
	}
	if v.Type() == wire.InformationRequest && o.scope.Refresh > 0 && asked.Asks(wire.InfoRefreshTime) {
		w.PutUint32(wire.InfoRefreshTime, seconds(o.scope.Refresh))
	}
	if !o.Boots || o.Decision.Reason != boot.Answered {
		return
	}
	a := o.Decision.Answer
	w.PutText(wire.BootFileURL, pxe.URLOf(o.Client, a, d.p.self))
	if list := o.scope.Params[a.Rule]; len(list) > 0 {
		w.PutTexts(wire.BootFileParam, list...)
	}
	if o.Client.Firmware == boot.FirmwareUEFIHTTP {
		w.PutClass(wire.EnterprisePXE, pxe.HTTPClient) // it takes no other offer for one (UEFI 2.10 section 24.7.2)
	}
}

func statusText(s wire.Status) string {
	switch s {
	case wire.Success:
		return "done"
	case wire.NotOnLink:
		return "not an address of this link"
	case wire.UseMulticast:
		return "ask ff02::1:2"
	}
	return s.String()
}
