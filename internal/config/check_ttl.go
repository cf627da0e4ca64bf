package config

import "time"

// warnTTL tells of answers that resolvers keep for longer than the nodes need to find out that a
// server is dead: names then lead to it for most of the time by the resolvers' doing. No mistake of
// the file, since somebody may want fewer questions. The default is nobody's choice and not told.
func (d *decoder) warnTTL(f *file) {
	if f.dns == nil || f.dns.ttl == nil || !f.watches() {
		return
	}
	gone := f.watch.notices()
	if f.dns.ttl.v <= gone {
		return
	}
	d.report(f.dns.ttl.at, faultf("warning: resolvers keep answers for %s, and a dead server is left out of new ones after %s already (watch.every × watch.down_after): clients are sent to it for longer by the resolvers than by this node",
		durationText(f.dns.ttl.v), durationText(gone)).do("write ttl: %s or less, or leave it as it is if fewer questions matter more", durationText(max(gone.Truncate(time.Second), time.Second))))
}

// watches reports whether a node may watch servers: it says so, or says nothing.
func (f *file) watches() bool {
	w := &f.watch
	return w.enabled.or(true) && w.every.or(DefaultWatchEvery) > 0
}

// notices is after how long a server that dies is left out of answers, at the latest.
func (w *fileWatch) notices() time.Duration {
	return w.period() * time.Duration(w.downAfter.or(DefaultWatchDownAfter))
}
