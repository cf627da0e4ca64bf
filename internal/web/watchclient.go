package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"surefoot/internal/watch"
)

// Watch asks what the monitor knows.
func (c *Client) Watch(ctx context.Context, q watch.Query) (watch.Report, error) {
	v := url.Values{}
	if q.Server != "" {
		v.Set("server", q.Server)
	}
	if q.Test != "" {
		v.Set("test", q.Test)
	}
	if q.Samples > 0 {
		v.Set("samples", fmt.Sprint(q.Samples))
	}
	if q.Diagnoses {
		v.Set("diagnoses", "1")
	}
	var out watch.Report
	err := c.get(ctx, "/api/v1/watch?"+v.Encode(), &out)
	return out, err
}

// FollowWatch calls each for everything that happens to a test ("" for all) until ctx ends or the
// node stops.
func (c *Client) FollowWatch(ctx context.Context, test string, each func(watch.Update) error) error {
	return follow(ctx, c, "/api/v1/watch/follow?test="+url.QueryEscape(test), each)
}

// follow calls each for every JSON line.
func follow[T any](ctx context.Context, c *Client, path string, each func(T) error) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return decode(resp, nil)
	}
	sc := bufio.NewScanner(resp.Body)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var u T
		if err := json.Unmarshal(sc.Bytes(), &u); err != nil {
			return fmt.Errorf("an update of the node: %w", err)
		}
		if err := each(u); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return sc.Err()
}

// Drain takes a server out of new answers. An unknown one is a *watch.UnknownServerError.
func (c *Client) Drain(ctx context.Context, server string, q DrainRequest) (watch.DrainResult, error) {
	return c.redrain(ctx, server, "drain", q)
}

// Resume ends a drain.
func (c *Client) Resume(ctx context.Context, server string, dry bool) (watch.DrainResult, error) {
	return c.redrain(ctx, server, "resume", DrainRequest{DryRun: dry})
}

func (c *Client) redrain(ctx context.Context, server, verb string, q DrainRequest) (watch.DrainResult, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(q)
	if err != nil {
		return watch.DrainResult{}, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/servers/"+url.PathEscape(server)+"/"+verb, bytes.NewReader(body))
	if err != nil {
		return watch.DrainResult{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound && resp.Header.Get("Content-Type") == "application/json" {
		var unknown watch.UnknownServerError
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&unknown); err != nil {
			return watch.DrainResult{}, fmt.Errorf("the node's refusal: %w", err)
		}
		return watch.DrainResult{}, &unknown
	}
	var out watch.DrainResult
	err = decode(resp, &out)
	return out, err
}
