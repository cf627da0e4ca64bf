package storm

import "time"

// Row is one figure of two runs.
type Row struct {
	Name   string  `json:"name"`
	Now    float64 `json:"now"`
	Before float64 `json:"before"`
	Ratio  float64 `json:"ratio,omitempty"` // now/before; absent where before is 0
}

// Compare puts the figures of two runs side by side.
func Compare(now, before *Result) []Row {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	var rows []Row
	row := func(name string, of func(*Result) float64) {
		r := Row{Name: name, Now: of(now), Before: of(before)}
		if r.Before != 0 {
			r.Ratio = r.Now / r.Before
		}
		rows = append(rows, r)
	}
	row("downloads/s", func(r *Result) float64 { return r.DownloadsPerSecond })
	row("MB/s", func(r *Result) float64 { return r.BytesPerSecond / 1e6 })
	row("download p50 ms", func(r *Result) float64 { return ms(r.Time.P50) })
	row("download p90 ms", func(r *Result) float64 { return ms(r.Time.P90) })
	row("download p99 ms", func(r *Result) float64 { return ms(r.Time.P99) })
	row("download max ms", func(r *Result) float64 { return ms(r.Time.Max) })
	row("first block p50 ms", func(r *Result) float64 { return ms(r.FirstBlock.P50) })
	row("first block p99 ms", func(r *Result) float64 { return ms(r.FirstBlock.P99) })
	row("done", func(r *Result) float64 { return float64(r.Done) })
	row("failed", func(r *Result) float64 { return float64(r.Failed) })
	row("request timeouts", func(r *Result) float64 { return float64(r.RequestTimeouts) })
	row("retransmissions", func(r *Result) float64 { return float64(r.Retransmits) })
	row("duplicates", func(r *Result) float64 { return float64(r.Duplicates) })
	row("generator busy %", func(r *Result) float64 { return 100 * r.Busy })
	return rows
}
