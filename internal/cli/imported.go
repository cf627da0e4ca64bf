package cli

import (
	"fmt"
	"io"
	"os"

	"surefoot/internal/takeover"
)

// The servers whose files are taken over.
const (
	fromISC     = "isc"
	fromKea     = "kea"
	fromDnsmasq = "dnsmasq"
)

// maxForeign bounds a file of another server.
const maxForeign = 256 << 20

// readForeign reads a file of another server; - is standard input.
func readForeign(env *Env, path string) ([]byte, error) {
	r := env.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxForeign+1))
	if err == nil && len(data) > maxForeign {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxForeign>>20)
	}
	return data, err
}

// importJSON is what an import prints as JSON.
type importJSON struct {
	DryRun bool            `json:"dry_run"`
	Taken  int             `json:"taken"`
	Items  []takeover.Item `json:"items"`
}

// printAccount prints what became of every object of the files: what was taken as it is by its number alone,
// unless all is asked for.
func printAccount(w io.Writer, items []takeover.Item, all bool) map[takeover.Verdict]int {
	n := map[takeover.Verdict]int{}
	for _, it := range items {
		n[it.Verdict]++
		if it.Verdict == takeover.Taken && !all || it.Verdict == takeover.Left && !all {
			continue
		}
		fmt.Fprint(w, wrap(fmt.Sprintf("%s:%d: %s: %s", it.File, it.Line, it.Verdict, it.What), ""))
		for _, why := range it.Why {
			fmt.Fprint(w, wrap(why, "    "))
		}
	}
	return n
}

func printTally(w io.Writer, n map[takeover.Verdict]int, total int, what string, all bool) {
	text := fmt.Sprintf("%s: %d taken as they are, %d taken with a change, %d refused, %d left (no %s, or over)",
		plural(total, "object"), n[takeover.Taken], n[takeover.Changed], n[takeover.Refused], n[takeover.Left], what)
	if !all && n[takeover.Taken]+n[takeover.Left] > 0 {
		text += "; --all shows each"
	}
	fmt.Fprint(w, wrap(text, ""))
}

// refuse turns an item that was taken into one that is not.
func refuse(it *takeover.Item, why string) {
	it.Verdict, it.Reservation, it.Lease = takeover.Refused, nil, nil
	it.Why = []string{why}
}
