package alert

import (
	"fmt"
	"time"
)

// Shares of the table at which it is told, and at which it is well again.
const (
	expectTold = 0.8
	expectWell = 0.6
)

// Expectations takes how many transfers the kernel expects, of how many that it can hold: each request
// behind address translation is one until it is answered, and with a full table no request passes.
func (m *Machine) Expectations(now time.Time, n, most int) {
	if most <= 0 {
		return
	}
	share := float64(n) / float64(most)
	if share < expectWell {
		m.clear(now, ExpectationsFull)
	}
	if share < expectTold {
		return
	}
	m.find(now, finding{
		code: ExpectationsFull, severity: Critical,
		title:    fmt.Sprintf("the kernel's table of expected transfers is nearly full: %d of %d", n, most),
		evidence: []string{fmt.Sprintf("%d requests to a service were not answered yet", n)},
		meaning:  "when it is full, the requests of all machines to services of the modes nat and snat are lost, whatever backend they would go to",
		fix:      "see by surefoot lb list who does not answer; raise net.netfilter.nf_conntrack_expect_max",
	})
}
