package publish

import (
	"errors"
	"fmt"
	"strings"

	"surefoot/internal/files"
)

// Rolled is what going back did, or with a dry run would do.
type Rolled struct {
	Root   string `json:"root"`
	From   string `json:"from"`
	To     string `json:"to"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// Rollback makes another version the current one: the one named or, for "", the previous one. What
// was current is the previous one from then on, so that going back twice leads nowhere else.
func (r *Root) Rollback(id string, dryRun bool) (Rolled, error) {
	st, err := r.State()
	if err != nil {
		return Rolled{}, err
	}
	do := Rolled{Root: r.dir, From: st.Current, To: id, DryRun: dryRun}
	if id == "" {
		do.To = st.Previous
	}
	fail := func(err error) (Rolled, error) {
		return Rolled{}, &Error{Do: "roll back " + r.dir, Err: err, Hints: []string{rollbackHint(st)}}
	}
	switch {
	case st.Current == "" && len(st.Versions) == 0:
		return Rolled{}, &Error{Do: "roll back " + r.dir, Err: errors.New("the root has no versions"), Hints: []string{"surefoot file publish DIR makes the first one"}}
	case id == "" && (st.Previous == "" || st.Previous == st.Current):
		return fail(errors.New("there is no previous version: which one is meant has to be said"))
	case do.To == st.Current:
		return fail(fmt.Errorf("%s is the current version", do.To))
	case !st.Has(do.To):
		return fail(fmt.Errorf("there is no version %q", do.To))
	case dryRun:
		return do, nil
	}
	held, err := r.lock()
	if err != nil {
		return fail(plain(err))
	}
	defer held.Close()
	if err := r.change(st.Current, do.To); err != nil {
		if now, _ := files.Linked(r.root, files.CurrentLink); now != do.To {
			return fail(plain(err))
		}
	}
	return do, nil
}

func rollbackHint(st State) string {
	var others []string
	for _, id := range st.IDs() {
		if id != st.Current {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return "there is no other version than " + st.Current
	}
	return "surefoot file rollback ID, with one of " + strings.Join(others[:min(8, len(others))], ", ")
}
