package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"surefoot/internal/lease"
)

// NotFoundError says that the node knows nothing of what it was asked for.
type NotFoundError struct{ Text string }

func (e *NotFoundError) Error() string { return e.Text }

// Leases asks for a page of leases.
func (c *Client) Leases(ctx context.Context, q LeaseQuery) (LeasePage, error) {
	v := url.Values{"network": {q.Network}, "state": {q.State}, "text": {q.Text}, "after": {q.After}}
	if q.Limit > 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	var out LeasePage
	err := c.send(ctx, http.MethodGet, "/api/v1/leases?"+v.Encode(), nil, &out)
	return out, err
}

// Lease asks for everything about a machine's addresses.
func (c *Client) Lease(ctx context.Context, who string) (LeaseShown, error) {
	var out LeaseShown
	err := c.send(ctx, http.MethodGet, "/api/v1/leases/"+url.PathEscape(who), nil, &out)
	return out, err
}

// Pools asks how full the networks are.
func (c *Client) Pools(ctx context.Context) ([]PoolUsage, error) {
	var out struct{ Pools []PoolUsage }
	err := c.send(ctx, http.MethodGet, "/api/v1/pools", nil, &out)
	return out.Pools, err
}

// Release ends a lease.
func (c *Client) Release(ctx context.Context, who string) (Lease, error) {
	var out LeaseEnd
	err := c.send(ctx, http.MethodPost, "/api/v1/leases/"+url.PathEscape(who)+"/release", nil, &out)
	return out.Released, err
}

// adoptAtOnce is how many leases one request takes over.
const adoptAtOnce = 2000

// Adopt has the node take over leases of another server.
func (c *Client) Adopt(ctx context.Context, list []lease.Record, dry bool) ([]Adopted, error) {
	var all []Adopted
	for len(list) > 0 {
		n := min(adoptAtOnce, len(list))
		var out struct{ Adopted []Adopted }
		if err := c.send(ctx, http.MethodPost, "/api/v1/leases", AdoptRequest{list[:n], dry}, &out); err != nil {
			return all, err
		}
		all, list = append(all, out.Adopted...), list[n:]
	}
	return all, nil
}

// send asks, with a body if there is one. 404 is a *NotFoundError.
func (c *Client) send(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return err
		}
	}
	resp, err := c.do(ctx, method, path, &b)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		text := make([]byte, 4096)
		n, _ := resp.Body.Read(text)
		return &NotFoundError{string(bytes.TrimSpace(text[:n]))}
	}
	return decode(resp, out)
}
