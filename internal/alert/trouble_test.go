package alert

import (
	"testing"
	"time"
)

func TestTroubles(t *testing.T) {
	w := begin(t, Rules{})
	codes := []Code{StoreSilent, HalfHeard}
	one := Trouble{Code: HalfHeard, Severity: Critical, Labels: []string{"relay", "10.0.0.1"}, Title: "t", Evidence: []string{"e"}, Meaning: "m", Fix: "f"}
	slow := Trouble{Code: StoreSilent, Severity: Warning, After: time.Minute, Title: "t", Evidence: []string{"e"}, Meaning: "m", Fix: "f"}
	w.Troubles(w.at, codes, []Trouble{one, slow})
	w.want("one is told, the other waits", w.wait(time.Second), "half-heard relay=10.0.0.1 firing")
	w.Troubles(w.at, codes, []Trouble{one})
	w.want("what was over before it was told is not told", w.wait(2*time.Minute))
	w.Troubles(w.at, codes, nil)
	w.want("it is over", w.wait(2*time.Minute), "half-heard relay=10.0.0.1 resolved")
}
