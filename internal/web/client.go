package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"surefoot/internal/journal"
)

// Client talks to a running node over its unix socket.
type Client struct {
	socket string
	http   *http.Client
}

// Dial makes a client; it connects when it is used.
func Dial(socket string) *Client {
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// UnreachableError says that nobody answers on the socket.
type UnreachableError struct {
	Socket string
	Err    error
}

func (e *UnreachableError) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("surefoot does not run here: there is no socket %s", e.Socket)
	case errors.Is(e.Err, unix.ECONNREFUSED):
		return fmt.Sprintf("surefoot does not run here: nobody answers on %s", e.Socket)
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("connect to %s: permission denied", e.Socket)
	}
	return fmt.Sprintf("connect to %s: %v", e.Socket, e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Denied reports whether the socket is there but not for this user.
func (e *UnreachableError) Denied() bool { return errors.Is(e.Err, fs.ErrPermission) }

// Hint says what to do about it.
func (e *UnreachableError) Hint() []string {
	if e.Denied() {
		return []string{"run it as root, or as a member of the group that owns the socket"}
	}
	return []string{"systemctl status surefoot, or name the socket of the one that runs: --socket PATH"}
}

// ReloadError is a reload that the node refused; its old configuration goes on.
type ReloadError struct{ Text string }

func (e *ReloadError) Error() string { return e.Text }

// Status asks what the node does.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	err := c.get(ctx, "/api/v1/status", &out)
	return out, err
}

// Stories asks for stories.
func (c *Client) Stories(ctx context.Context, q journal.Query) ([]journal.Story, error) {
	v := url.Values{}
	if q.Machine != "" {
		v.Set("mac", q.Machine)
	}
	if q.Limit > 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	if q.Latest {
		v.Set("latest", "1")
	}
	if q.Steps {
		v.Set("steps", "1")
	}
	var out Stories
	err := c.get(ctx, "/api/v1/stories?"+v.Encode(), &out)
	return out.Stories, err
}

// Follow calls each for every update of a machine ("" for all) until ctx ends or the node stops.
func (c *Client) Follow(ctx context.Context, machine string, each func(journal.Update) error) error {
	return follow(ctx, c, "/api/v1/follow?mac="+url.QueryEscape(machine), each)
}

// Reload asks the node to read its configuration again. A refusal is a *ReloadError.
func (c *Client) Reload(ctx context.Context) (Status, error) {
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/reload", nil)
	if err != nil {
		return Status{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnprocessableEntity {
		var refused struct {
			Error string `json:"error"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil {
			return Status{}, fmt.Errorf("the node's refusal: %w", err)
		}
		return Status{}, &ReloadError{Text: refused.Error}
	}
	var st Status
	err = decode(resp, &st)
	return st, err
}

// patience is how long the node may take to answer a question.
const patience = 10 * time.Second

func (c *Client) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp, out)
}

func decode(resp *http.Response, out any) error {
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("the node answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("the node's answer: %w", err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://surefoot"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, &UnreachableError{Socket: c.socket, Err: err}
		}
		return nil, fmt.Errorf("ask the node at %s: %w", c.socket, err)
	}
	return resp, nil
}
