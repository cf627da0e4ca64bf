package etcd

import (
	"context"
	"errors"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// client is a connection to one member.
type client struct {
	c       *clientv3.Client
	cluster atomic.Uint64
}

func (c *client) close() { _ = c.c.Close() }

// Cluster says which store it is: one that was made anew from a backup is another.
func (c *client) Cluster() uint64 { return c.cluster.Load() }

// Commit puts each transaction into one of etcd's own, so that one that loses takes no other with it.
func (c *client) Commit(ctx context.Context, list ...txn) ([]commit, error) {
	var ops []clientv3.Op
	for _, x := range list {
		var cmps []clientv3.Cmp
		var puts, gets []clientv3.Op
		for _, k := range x.conds {
			cmps = append(cmps, clientv3.Compare(clientv3.ModRevision(k.key), "=", k.rev))
			gets = append(gets, clientv3.OpGet(k.key))
		}
		for _, w := range x.writes {
			if w.value == nil {
				puts = append(puts, clientv3.OpDelete(w.key))
				continue
			}
			puts = append(puts, clientv3.OpPut(w.key, string(w.value)))
		}
		ops = append(ops, clientv3.OpTxn(cmps, puts, gets))
	}
	res, err := c.c.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return nil, err
	}
	if len(res.Responses) != len(list) {
		return nil, errors.New("etcd answered another number of transactions")
	}
	out := make([]commit, len(list))
	for i, r := range res.Responses {
		t := r.GetResponseTxn()
		out[i] = commit{done: t.GetSucceeded(), rev: res.Header.Revision}
		if t.GetSucceeded() {
			continue
		}
		for j, r := range t.GetResponses() {
			v := kv{key: list[i].conds[j].key}
			if g := r.GetResponseRange(); g != nil && len(g.Kvs) == 1 {
				v.value, v.rev = g.Kvs[0].Value, g.Kvs[0].ModRevision
			}
			out[i].have = append(out[i].have, v)
		}
	}
	return out, nil
}

func (c *client) Read(ctx context.Context, key string) (kv, int64, error) {
	res, err := c.c.Get(ctx, key)
	if err != nil {
		return kv{}, 0, err
	}
	c.cluster.Store(res.Header.ClusterId)
	v := kv{key: key}
	if len(res.Kvs) == 1 {
		v.value, v.rev = res.Kvs[0].Value, res.Kvs[0].ModRevision
	}
	return v, res.Header.Revision, nil
}

func (c *client) List(ctx context.Context, prefix, from string, most int, at int64) ([]kv, bool, int64, error) {
	if from == "" {
		from = prefix
	}
	res, err := c.c.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(int64(most)), clientv3.WithRev(at))
	if err != nil {
		return nil, false, 0, forgotten(err)
	}
	var out []kv
	for _, v := range res.Kvs {
		out = append(out, kv{string(v.Key), v.Value, v.ModRevision})
	}
	if at == 0 {
		at = res.Header.Revision
	}
	return out, res.More, at, nil
}

func (c *client) Watch(ctx context.Context, prefix string, from int64, f func([]kv)) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for res := range c.c.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if err := res.Err(); err != nil {
			return forgotten(err)
		}
		var list []kv
		for _, e := range res.Events {
			v := kv{key: string(e.Kv.Key), rev: e.Kv.ModRevision}
			if e.Type != clientv3.EventTypeDelete {
				v.value = e.Kv.Value
			}
			list = append(list, v)
		}
		f(list)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the watch ended")
}

func forgotten(err error) error {
	if errors.Is(err, rpctypes.ErrCompacted) {
		return errCompacted
	}
	return err
}
