package transfers

import (
	"maps"
	"time"

	"surefoot/internal/boot"
)

// Totals count since the node's start.
type Totals struct {
	Begun       int64                 `json:"begun"`
	Ended       map[boot.Reason]int64 `json:"ended"` // by reason
	Done        int64                 `json:"done"`
	SizeQueries int64                 `json:"size_queries"`
	Failed      int64                 `json:"failed"`
	Bytes       int64                 `json:"bytes"` // acknowledged
	Packets     int64                 `json:"packets"`
	Retransmits int64                 `json:"retransmits"`
	Stalls      int64                 `json:"stalls"`
	Uploads     int64                 `json:"uploads"`      // received completely; done counts none of these
	UploadBytes int64                 `json:"upload_bytes"` // bytes counts none of these
	Lost        int64                 `json:"lost"`         // records whose end was never told: the journal was overloaded
}

func (t *Totals) snapshot() Totals {
	out := *t
	out.Ended = maps.Clone(t.Ended)
	return out
}

// Rates are of the last minute; where the node is younger, of its whole time.
type Rates struct {
	Seconds     float64 `json:"seconds"` // that they are taken from
	Done        float64 `json:"done_per_second"`
	SizeQueries float64 `json:"size_queries_per_second"`
	Failed      float64 `json:"failed_per_second"`
	Bytes       float64 `json:"bytes_per_second"`
	Packets     float64 `json:"packets_per_second"`
	Resent      float64 `json:"resent_share"` // of the packets, 0 to 1
}

// second is what happened in one second.
type second struct {
	at                          int64 // Unix time
	done, probes, failed        int64
	bytes, packets, retransmits int64
}

const minute = 60

// pace is the last minute, second by second, and the present one.
type pace struct {
	since   time.Time
	seconds [minute + 1]second
}

// at returns the second of a time, empty if it has just begun. What comes late counts where it can.
func (p *pace) at(now time.Time) *second {
	unix := now.Unix()
	s := &p.seconds[uint64(unix)%uint64(len(p.seconds))]
	if s.at < unix {
		*s = second{at: unix}
	}
	return s
}

// rates adds up the seconds that are over. now is part of a second: it would lower them.
func (p *pace) rates(now time.Time) Rates {
	var sum second
	for i := range p.seconds {
		s := &p.seconds[i]
		if age := now.Unix() - s.at; age < 1 || age > minute {
			continue
		}
		sum.done += s.done
		sum.probes += s.probes
		sum.failed += s.failed
		sum.bytes += s.bytes
		sum.packets += s.packets
		sum.retransmits += s.retransmits
	}
	over := min(minute, now.Truncate(time.Second).Sub(p.since).Seconds())
	r := Rates{Seconds: max(over, 0)}
	if sum.packets > 0 {
		r.Resent = float64(sum.retransmits) / float64(sum.packets)
	}
	if over < 1 {
		return r
	}
	r.Done, r.SizeQueries, r.Failed = float64(sum.done)/over, float64(sum.probes)/over, float64(sum.failed)/over
	r.Bytes, r.Packets = float64(sum.bytes)/over, float64(sum.packets)/over
	return r
}
