// Package heap decides how often the garbage collector runs.
//
// A server at rest is to stay small: it is collected often, and nobody notices. A storm of machines fills the same
// small heap several times in a second, and while it is collected answers wait: of 18,500 DHCP exchanges in
// a second one in a hundred took 6.5 ms where it takes 3.7 ms with a collection every few seconds. So the more
// often it is collected, the more may gather until the next time, within bounds.
package heap

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Pace is how often.
type Pace struct {
	Rest  int           // percent of what is in use that may gather at rest, as GOGC says it
	Every time.Duration // more often it need not be collected
	Room  uint64        // bytes that may gather at most, if Rest does not allow more
}

// least is a heap that Go does not collect at 100 percent, however little of it is in use.
const least = 4 << 20

// Next returns the percentage until the next collection: percent was that until this one, which came so long
// after the one before and left so many bytes in use. It grows fourfold at most, so that a start is no storm.
func (p Pace) Next(percent int, since time.Duration, live uint64) int {
	want := min(float64(percent)*float64(p.Every)/float64(max(since, 1)), 4*float64(percent))
	return max(int(min(want, float64(p.Room)*100/float64(max(live, least)))), p.Rest)
}

// Keep lets the collector run at that pace from now on, for as long as the process lives. It takes the place of
// GOGC.
func (p Pace) Keep() {
	debug.SetGCPercent(p.Rest)
	k := &keeper{pace: p, percent: p.Rest, at: time.Now()}
	k.wait()
}

// keeper is told of each collection. Collections come one after the other, and so does what it is told.
type keeper struct {
	pace    Pace
	percent int
	at      time.Time // of the last collection
}

// token is garbage, which nobody uses. What holds a pointer is collected by itself.
type token struct{ _ *keeper }

// wait sees to it that the next collection is told.
func (k *keeper) wait() { runtime.AddCleanup(new(token), (*keeper).collected, k) }

func (k *keeper) collected() {
	defer k.wait()
	now := time.Now()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	next := k.pace.Next(k.percent, now.Sub(k.at), live[0].Value.Uint64())
	if k.at = now; next != k.percent {
		debug.SetGCPercent(next)
		k.percent = next
	}
}
