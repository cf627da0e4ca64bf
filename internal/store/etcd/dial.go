package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Endpoint is the address of a member: HOST:PORT.
type Endpoint string

// Login is how this node proves who it is, and how it knows the store. Files are read when a connection
// is made, so that they can be renewed.
type Login struct {
	TLS            bool
	CA, Cert, Key  string
	User, Password string // Password is a file
	ServerName     string
}

// dialer connects to one member at a time: the first one that answers for the quorum, in the order of
// the list. One connection to all of them would send a part of the calls to a member that hangs, and
// find out by time only.
type dialer struct {
	cfg Config
}

func newDialer(cfg Config) (*dialer, error) {
	if len(cfg.Endpoints) == 0 {
		return nil, errors.New("no endpoints")
	}
	return &dialer{cfg: cfg}, nil
}

func (d *dialer) password() (string, error) {
	if d.cfg.Login.Password == "" {
		return "", nil
	}
	b, err := os.ReadFile(d.cfg.Login.Password)
	return strings.TrimRight(string(b), "\r\n"), err
}

func (d *dialer) tls() (*tls.Config, error) {
	l := d.cfg.Login
	if !l.TLS {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: l.ServerName}
	if l.CA != "" {
		b, err := os.ReadFile(l.CA)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s: no certificate in PEM form", l.CA)
		}
	}
	if l.Cert != "" {
		if _, err := tls.LoadX509KeyPair(l.Cert, l.Key); err != nil {
			return nil, err
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(l.Cert, l.Key)
			return &c, err
		}
	}
	return t, nil
}

// connect returns a connection to the first member that answers. All are asked at once, and those at the
// front of the list are waited for a little.
func (d *dialer) connect(ctx context.Context) (db, string, func(), error) {
	type answer struct {
		i   int
		c   *client
		err error
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Times.orDefault().Call)
	defer cancel()
	n := len(d.cfg.Endpoints)
	answers := make(chan answer, n)
	for i, e := range d.cfg.Endpoints {
		go func() {
			c, err := d.open(ctx, e)
			answers <- answer{i, c, err}
		}()
	}
	var best answer
	best.i = n
	var why error
	var grace <-chan time.Time
	got := 0
	for got < n && best.i != 0 {
		select {
		case a := <-answers:
			got++
			switch {
			case a.err != nil:
				why = errors.Join(why, fmt.Errorf("%s: %w", d.cfg.Endpoints[a.i], a.err))
			case a.i < best.i:
				if best.c != nil {
					best.c.close()
				}
				best = a
				if grace == nil {
					grace = time.After(50 * time.Millisecond)
				}
			default:
				a.c.close()
			}
			continue
		case <-grace:
		}
		break
	}
	if got < n {
		go func() {
			for range n - got {
				if a := <-answers; a.c != nil {
					a.c.close()
				}
			}
		}()
	}
	if best.c == nil {
		return nil, "", nil, why
	}
	return best.c, string(d.cfg.Endpoints[best.i]), best.c.close, nil
}

// open connects to one member, and asks it something that only a quorum can answer.
func (d *dialer) open(ctx context.Context, e Endpoint) (*client, error) {
	t, err := d.tls()
	if err != nil {
		return nil, err
	}
	password, err := d.password()
	if err != nil {
		return nil, err
	}
	scheme := "http://"
	if t != nil {
		scheme = "https://"
	}
	call := d.cfg.Times.orDefault().Call
	c, err := clientv3.New(clientv3.Config{
		Context: context.WithoutCancel(ctx), Endpoints: []string{scheme + string(e)}, TLS: t, Username: d.cfg.Login.User, Password: password,
		DialTimeout: call, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: .2, MaxDelay: time.Second}, MinConnectTimeout: call,
			}),
			grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				var nd net.Dialer
				return nd.DialContext(ctx, "tcp", strings.TrimPrefix(strings.TrimPrefix(addr, "http://"), "https://"))
			}),
		},
	})
	if err != nil {
		return nil, err
	}
	out := &client{c: c}
	if _, _, err := out.Read(ctx, newKeys(cmp.Or(d.cfg.Prefix, DefaultPrefix), d.cfg.Site).nodes()); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}
