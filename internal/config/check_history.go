package config

import "surefoot/internal/store"

// ages are what is written, with what is usual for the rest.
func (h fileHistory) ages() store.Ages {
	return store.NewAges(h.raw.or(0), h.five.or(0), h.keep.or(0))
}

// checkHistory looks for what is finer and to be kept for longer than what is coarser: buckets are
// made of what is finer, and questions go to the coarser where the finer has ended. The same age is
// right, and what a short keep means for the others by itself.
func (d *decoder) checkHistory(h fileHistory) {
	coarser := store.NewAges(0, h.five.or(0), h.keep.or(0))
	if h.five != nil && h.five.v > coarser.Hour {
		d.report(h.five.at, faultf("buckets of five minutes are to be kept for %s, and those of an hour, made of them, for %s", spanText(h.five.v), spanText(coarser.Hour)).do("raise keep, or write keep_five_minutes: %s or less", spanText(coarser.Hour)))
		return
	}
	if h.raw != nil && h.raw.v > coarser.Five {
		d.report(h.raw.at, faultf("single measurements are to be kept for %s, and the buckets of five minutes, made of them, for %s", spanText(h.raw.v), spanText(coarser.Five)).do("raise keep_five_minutes (and keep, which bounds it), or write keep_measurements: %s or less", spanText(coarser.Five)))
	}
}
