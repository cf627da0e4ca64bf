package dhcp6

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/lease"
	wire "surefoot/internal/wire/dhcp6"
)

// Whose a lease is.
//
// RFC 8415 section 12 binds an address to a DUID and an IAID. Boot ROM, boot loader and system each have their own
// of both, so that one machine would get three addresses and its reservation only once. Therefore a lease belongs
// to the hardware address where that is known, with one exception that keeps the RFC's promise: while one identity
// association of a DUID has the machine's address, another one of the same DUID gets an address of its own, under
// DUID and IAID. They are two interfaces that say one hardware address, or two programs of one firmware
// that run at once: EDK2's network stack and its PXE do (captures: ovmf-pxe6).

// ofROM stands for the IAID of a boot ROM. EDK2 draws a new one for PXE and HTTP boot each time that the machine
// starts: a machine that was switched off in the middle of a boot would count as its own sibling, miss its
// reservation and take one more address of the range at every start.
const ofROM = 0x424f4f54

// association is the IAID by which the books know an association: ofROM of a network boot, and of who names the
// address that the boot ROM of the same DUID has (a RELEASE does not say that it is a boot's).
func (d *Decider) association(duid wire.DUID, ia wire.IA, boots bool) uint32 {
	if boots {
		return ofROM
	}
	if at := ia.Addr(); at.IsValid() {
		if r, ok := d.book.ByAddr(at); ok && r.Circuit == holderOf(duid, ofROM) {
			return ofROM
		}
	}
	return ia.IAID
}

// holderOf is a client as records keep it (Record.Circuit): its DUID, hashed where it is long, and the IAID.
func holderOf(duid wire.DUID, iaid uint32) string {
	name := hex.EncodeToString(duid)
	if len(duid) > 32 {
		sum := sha256.Sum256(duid)
		name = "#" + hex.EncodeToString(sum[:20])
	}
	return name + "/" + strconv.FormatUint(uint64(iaid), 10)
}

// Holds reports whether a client of that DUID has the address of a record, or had it last.
func Holds(r lease.Record, duid wire.DUID) bool {
	name, _, _ := strings.Cut(holderOf(duid, 0), "/")
	is, _, _ := strings.Cut(r.Circuit, "/")
	return is == name
}

// sibling reports whether two holders are different associations of one DUID.
func sibling(a, b string) bool {
	d1, i1, ok1 := strings.Cut(a, "/")
	d2, i2, ok2 := strings.Cut(b, "/")
	return ok1 && ok2 && d1 == d2 && i1 != i2
}

// holders remembers which association took a machine's address last, between the answer and its record, and
// where the record was not worth writing anew. What it forgets is in the records.
type holders struct {
	mu      sync.Mutex // guards all below
	of, old map[key]string
}

type key struct {
	scope string
	id    lease.ID
}

// maxHolders is how many are remembered, in each of two generations.
const maxHolders = 65_536

func newHolders() *holders { return &holders{of: map[key]string{}} }

func (h *holders) get(k key) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.of[k]; ok {
		return s
	}
	return h.old[k]
}

func (h *holders) set(k key, s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.of) >= maxHolders {
		h.of, h.old = map[key]string{}, h.of
	}
	h.of[k] = s
}

// drop forgets a holder that gave the address back.
func (h *holders) drop(k key, s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of[k] == s {
		delete(h.of, k)
	}
	if h.old[k] == s {
		delete(h.old, k)
	}
}

// identity is whose the lease of an association is.
func (d *Decider) identity(now time.Time, s *scope, mac boot.MAC, duid wire.DUID, iaid uint32) lease.ID {
	own, machine := lease.DUID(duid, iaid), lease.Machine(duid)
	if _, ok := s.Hosts[machine]; !ok { // no address is reserved for the DUID
		if mac.IsZero() {
			return own
		}
		if r, ok := d.book.ByID(s.Name, own); ok && r.Live(now) {
			return own
		}
		machine = lease.Hardware(1, mac[:])
	}
	if sibling(d.holder(now, s.Name, machine), holderOf(duid, iaid)) {
		return own
	}
	return machine
}

// holder is who has a machine's address, "" if nobody.
func (d *Decider) holder(now time.Time, scope string, id lease.ID) string {
	r, ok := d.book.ByID(scope, id)
	if s := d.holders.get(key{scope, id}); s != "" && (!ok || r.Live(now)) {
		return s
	}
	if ok && r.Live(now) {
		return r.Circuit
	}
	return ""
}
