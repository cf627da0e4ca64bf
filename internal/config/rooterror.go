package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
)

// RootError says what is wrong with the directory of boot files, or with a file named in it.
type RootError struct {
	Dir  string
	File string   // "" if it is the directory itself
	Near []string // files with a similar name
	Err  error
}

func (e *RootError) Error() string {
	err := e.Err
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if e.File != "" {
		return fmt.Sprintf("look for boot file %s in %s: %v", e.File, cmp.Or(e.Dir, "no root"), err)
	}
	return fmt.Sprintf("read the boot files in %s: %v", e.Dir, err)
}

func (e *RootError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *RootError) Hint() []string {
	switch {
	case len(e.Near) > 0:
		return []string{didYouMean(e.File, e.Near)}
	case e.File != "" && e.Dir == "":
		return []string{"--root DIR names the directory"}
	case e.File != "":
		return []string{"the name is relative to the root: ls " + e.Dir}
	case errors.Is(e.Err, os.ErrNotExist):
		return []string{
			"mkdir -p " + e.Dir + "   and put the boot files into it",
			"without --root the built-in test bootstrap is handed out, to try the network with",
		}
	case errors.Is(e.Err, os.ErrPermission):
		return []string{"the user that runs surefoot has to be able to read it: ls -ld " + e.Dir}
	}
	return []string{"--root takes a directory"}
}
