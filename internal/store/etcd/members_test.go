package etcd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// members is a real etcd cluster on loopback.
type members struct {
	t       *testing.T
	dir     string
	clients []string // HOST:PORT
	peers   []string
	cmds    []*exec.Cmd
	login   Login
	secure  bool
}

func newMembers(t *testing.T, n int, secure bool) *members {
	t.Helper()
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("SUREFOOT_TEST_REQUIRE") != "" {
			t.Fatal("needs etcd (scripts/setup)")
		}
		t.Skip("needs etcd")
	}
	m := &members{t: t, dir: t.TempDir(), cmds: make([]*exec.Cmd, n), secure: secure}
	for range n {
		m.clients, m.peers = append(m.clients, freePort(t)), append(m.peers, freePort(t))
	}
	if secure {
		m.certificates()
	}
	for i := range n {
		m.start(i)
	}
	t.Cleanup(func() {
		for i := range m.cmds {
			m.kill(i)
		}
		if t.Failed() {
			for i := range m.cmds {
				b, _ := os.ReadFile(filepath.Join(m.dir, fmt.Sprintf("m%d.log", i)))
				t.Logf("member %d:\n%s", i, b[max(0, len(b)-2000):])
			}
		}
	})
	m.ready()
	return m
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (m *members) start(i int) {
	m.t.Helper()
	var cluster []string
	for j, p := range m.peers {
		cluster = append(cluster, fmt.Sprintf("m%d=http://%s", j, p))
	}
	scheme := "http://"
	if m.secure {
		scheme = "https://"
	}
	args := []string{
		"--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(m.dir, fmt.Sprintf("m%d", i)), "--log-level", "error",
		"--listen-peer-urls", "http://" + m.peers[i], "--initial-advertise-peer-urls", "http://" + m.peers[i],
		"--listen-client-urls", scheme + m.clients[i], "--advertise-client-urls", scheme + m.clients[i],
		"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-token", "surefoot-test",
		"--heartbeat-interval", "50", "--election-timeout", "300",
	}
	if m.secure {
		args = append(args, "--cert-file", m.login.Cert, "--key-file", m.login.Key, "--client-cert-auth", "--trusted-ca-file", m.login.CA)
	}
	cmd := exec.Command("etcd", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(filepath.Join(m.dir, fmt.Sprintf("m%d.log", i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.cmds[i] = cmd
}

func (m *members) kill(i int) {
	if c := m.cmds[i]; c != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
		m.cmds[i] = nil
	}
}

func (m *members) signal(i int, s syscall.Signal) { _ = m.cmds[i].Process.Signal(s) }

// client is etcd's own.
func (m *members) client(endpoints ...string) *clientv3.Client {
	m.t.Helper()
	d := dialer{cfg: Config{Login: m.login}}
	tls, err := d.tls()
	if err != nil {
		m.t.Fatal(err)
	}
	scheme := "http://"
	if m.secure {
		scheme = "https://"
	}
	var all []string
	for _, e := range endpoints {
		all = append(all, scheme+e)
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: all, TLS: tls, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

// ready waits until the quorum answers.
func (m *members) ready() {
	m.t.Helper()
	c := m.client(m.clients...)
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	for {
		call, cancel := context.WithTimeout(ctx, time.Second)
		_, err := c.Get(call, "x")
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			m.t.Fatalf("etcd does not answer: %v", err)
		}
	}
}

// leader returns which member leads.
func (m *members) leader() int {
	m.t.Helper()
	for i, e := range m.clients {
		if m.cmds[i] == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Second)
		st, err := m.client(e).Status(ctx, m.endpoint(e))
		cancel()
		if err == nil && st.Leader == st.Header.MemberId {
			return i
		}
	}
	return -1
}

func (m *members) endpoint(e string) string {
	if m.secure {
		return "https://" + e
	}
	return "http://" + e
}

// dial connects as a node does that prefers one member.
func (m *members) dial(first int) func(context.Context) (db, string, func(), error) {
	cfg := Config{Login: m.login, Times: Times{Call: 500 * time.Millisecond}}
	for i := range m.clients {
		cfg.Endpoints = append(cfg.Endpoints, Endpoint(m.clients[(first+i)%len(m.clients)]))
	}
	d, err := newDialer(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	return d.connect
}

// certificates makes an authority, and one certificate for everybody.
func (m *members) certificates() {
	m.t.Helper()
	check := func(err error) {
		if err != nil {
			m.t.Fatal(err)
		}
	}
	write := func(name, kind string, b []byte) string {
		file := filepath.Join(m.dir, name)
		check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return file
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	check(err)
	m.login.TLS, m.login.CA = true, write("ca.crt", "CERTIFICATE", der)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "surefoot"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	check(err)
	m.login.Cert = write("node.crt", "CERTIFICATE", der)
	raw, err := x509.MarshalECPrivateKey(key)
	check(err)
	m.login.Key = write("node.key", "EC PRIVATE KEY", raw)
}
