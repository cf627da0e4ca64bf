package nat

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"surefoot/internal/kernel/nft"
)

// standing is a table of ours in the kernel, and what it looked like after our last transaction.
type standing struct {
	family, table string
	generation    uint32
	after         nft.Listing
	made          bool
}

// change carries out the transaction that render makes of what stands there; empty: the table goes.
func (s *standing) change(ctx context.Context, render func(have nft.Listing) (string, error)) error {
	for try := 0; ; try++ {
		have, there, err := nft.List(ctx, s.family, s.table)
		if err != nil {
			return err
		}
		text, err := render(have)
		switch {
		case err != nil:
			return err
		case text == "" && !there:
			s.made = false
			return nil
		case text == "":
			text = "delete table " + s.family + " " + s.table + "\n"
		}
		err = nft.Run(ctx, text)
		if nft.IsGone(err) && try == 0 {
			continue // somebody took away what was just listed
		}
		if err != nil {
			return err
		}
		return s.note(ctx)
	}
}

// note keeps what the table looks like. What changes after the generation was read is noticed by look.
func (s *standing) note(ctx context.Context) error {
	var err error
	if s.generation, err = nft.Generation(); err != nil {
		return err
	}
	s.after, s.made, err = nft.List(ctx, s.family, s.table)
	return err
}

// look says whether somebody changed the table since.
func (s *standing) look(ctx context.Context) error {
	g, err := nft.Generation()
	if err != nil || g == s.generation {
		return err
	}
	is, there, err := nft.List(ctx, s.family, s.table)
	switch {
	case err != nil:
		return err
	case there != s.made:
		return fmt.Errorf("table %s %s was taken away by somebody: nft flush ruleset, as the service nftables does at its start, is one way", s.family, s.table)
	case is.Rules != s.after.Rules, !slices.Equal(is.Chains, s.after.Chains), !slices.Equal(is.Hooks, s.after.Hooks), !slices.Equal(is.Sets, s.after.Sets),
		!slices.Equal(slices.Sorted(maps.Keys(is.Counters)), slices.Sorted(maps.Keys(s.after.Counters))):
		return fmt.Errorf("table %s %s was changed by somebody", s.family, s.table)
	}
	s.generation = g
	return nil
}

// remove takes the table away, if it is there.
func (s *standing) remove(ctx context.Context) error {
	return s.change(ctx, func(nft.Listing) (string, error) { return "", nil })
}
