package cli

import (
	"errors"
	"strings"
	"testing"

	"surefoot/internal/lab"
)

// Nobody's lab goes down because somebody else takes down theirs.
func TestChooseLabs(t *testing.T) {
	one, two := []lab.State{{ID: "a1"}}, []lab.State{{ID: "a1"}, {ID: "b2"}}
	for _, c := range []struct {
		name string
		labs []lab.State
		id   string
		all  bool
		want string
	}{
		{"none", nil, "", false, ""},
		{"the only one", one, "", false, "a1"},
		{"one of several, named", two, "b2", false, "b2"},
		{"several, none named", two, "", false, "refused"},
		{"several, all", two, "", true, "a1 b2"},
		{"not there", two, "c3", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			chosen, err := chooseLabs(c.labs, c.id, c.all)
			var ids []string
			for _, l := range chosen {
				ids = append(ids, l.ID)
			}
			got := strings.Join(ids, " ")
			var e *Error
			if errors.As(err, &e) && e.Code == ExitUsage && len(e.Hints) > 0 {
				got = "refused"
			}
			if got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
}
