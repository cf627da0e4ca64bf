package etcd

import (
	"context"
	"errors"
)

// db is what is used of a store with one history: every change has the next revision, all watchers
// see all changes in that order, and a transaction compares before it writes.
type db interface {
	// Commit does all transactions at one revision, each by itself: it writes if every condition holds,
	// and otherwise returns what the keys of the conditions have. An error leaves open whether anything
	// was written.
	Commit(ctx context.Context, list ...txn) ([]commit, error)
	// Read returns a key as the quorum has it; rev is 0 if there is none. at is the revision of the store.
	Read(ctx context.Context, key string) (v kv, at int64, err error)
	// List returns keys with a prefix, from one on, at a revision of the store (0: the present one).
	List(ctx context.Context, prefix, from string, most int, at int64) (list []kv, more bool, rev int64, err error)
	// Watch calls f with the changes of the keys with a prefix, those of one revision together, from a
	// revision on, until ctx or the watch ends. errCompacted means that they are not there any more.
	Watch(ctx context.Context, prefix string, from int64, f func([]kv)) error
}

// kv is a key with its value; value nil: it was deleted.
type kv struct {
	key   string
	value []byte
	rev   int64 // of its last change
}

// cond holds when the last change of a key was at a revision; 0: there is no such key.
type cond struct {
	key string
	rev int64
}

// write sets a key; value nil deletes it.
type write struct {
	key   string
	value []byte
}

type txn struct {
	conds  []cond
	writes []write
}

// commit is what became of a transaction.
type commit struct {
	done bool
	rev  int64 // of the store: of this change if done
	have []kv  // what the keys of the conditions have instead, in their order; rev 0: nothing
}

// errCompacted is the answer to a watch or list of a past that the store has forgotten.
var errCompacted = errors.New("the store has forgotten that revision")
