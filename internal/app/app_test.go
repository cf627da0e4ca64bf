package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"surefoot/internal/web"
)

// TestServes: a node that says it is ready serves the file on both ports, and status says so.
func TestServes(t *testing.T) {
	n := start(t, nil)
	if got := page(t, n.http, "/a.0"); len(got) != 1100 {
		t.Errorf("over HTTP: %d bytes", len(got))
	}
	x := ask(t, n.tftp, "A.0")
	for i := byte(1); !x.block(t); i++ {
		x.acknowledge(t, i)
	}
	x.acknowledge(t, 3)
	if len(x.file) != 1100 {
		t.Errorf("over TFTP: %d bytes", len(x.file))
	}
	st, err := web.Dial(n.setup().Socket).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !st.Ready || len(st.NotReady) != 0 || len(st.Warnings) != 0 || st.Node != "boot1" || st.Site != "hq" || st.Version != "test" {
		t.Errorf("status %+v", st)
	}
	var roles []string
	for _, r := range st.Roles {
		roles = append(roles, r.Name+" "+r.State+" at "+strings.Join(r.Listen, ", "))
	}
	want := []string{"tftp ready at udp " + n.setup().TFTP.String(), "http ready at tcp " + n.setup().HTTP.String()}
	if !slices.Equal(roles, want) {
		t.Errorf("roles %q, want %q", roles, want)
	}
	if b := strings.Join(n.Banner(), "\n"); !strings.Contains(b, "node boot1 of site hq") || !strings.Contains(b, want[1][len("http ready at "):]) {
		t.Errorf("banner:\n%s", b)
	}
}

// TestDrain: a transfer that runs is finished, and nothing new is begun.
func TestDrain(t *testing.T) {
	n := start(t, nil)
	x := ask(t, n.tftp, "a.0")
	x.block(t)
	n.stop()
	n.await(t, "STOPPING=1")
	if not := n.notReady(); !slices.Contains(not, "draining") {
		t.Errorf("while draining, what is not ready is %q", not)
	}
	if st := n.Status(); st.Ready || !st.Draining {
		t.Errorf("status while draining: %+v", st)
	}
	if got := page(t, n.http, "/a.0"); got != "" {
		t.Errorf("a new request is answered: %d bytes", len(got))
	}
	for i := byte(1); ; i++ {
		x.acknowledge(t, i)
		if i == 3 {
			break
		}
		x.block(t)
	}
	if len(x.file) != 1100 {
		t.Errorf("the transfer got %d bytes", len(x.file))
	}
	if err := <-n.ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestPortsTaken: every refusal is told at once, and nothing stays open.
func TestPortsTaken(t *testing.T) {
	n := prepare(t, nil)
	for _, port := range []int{n.tftp, n.http} {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	held, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.http})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	err = n.Run(t.Context(), nil)
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "tftp: ") || !strings.Contains(err.Error(), "http: ") {
		t.Errorf("Run = %v, want both ports", err)
	}
	free, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.status})
	if err != nil {
		t.Fatalf("the status port stays open: %v", err)
	}
	_ = free.Close()
}

// TestHangup: SIGHUP reloads.
func TestHangup(t *testing.T) {
	n := start(t, nil)
	n.configure(t, func(s string) string { return strings.Replace(s, "name: rest", "name: other", 1) })
	n.hup <- syscall.SIGHUP
	n.await(t, "RELOADING=1")
	n.await(t, "READY=1")
	if got := n.Status().Rules[0].Name; got != "other" {
		t.Errorf("after SIGHUP the rule is %s", got)
	}
}

func TestNewRefuses(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, o := range map[string]Options{
		"no site file":                {ConfigPath: "/nonexistent/surefoot.yaml"},
		"a status that is no address": {Status: "8068"},
		"no such interface":           {Interfaces: []string{"nosuch0"}},
		"no such root":                {Root: "/nonexistent"},
	} {
		if _, err := New(o, log); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg, err := LoadConfig(Options{Status: "127.0.0.1:9", Socket: "/run/x", Interfaces: []string{"lo"}})
	if err != nil || cfg.Status.Port() != 9 || cfg.Socket != "/run/x" || !cfg.Node.Addr.IsLoopback() {
		t.Errorf("overridden: %+v, %v", cfg, err)
	}
	if e := (&noAddressError{name: "eth1"}); len(e.Hint()) != 2 || !strings.Contains(e.Error(), "eth1") {
		t.Errorf("%v %q", e, e.Hint())
	}
}

// TestReloads goes from one configuration to the next in one running node: what is refused
// changes nothing.
func TestReloads(t *testing.T) {
	n := start(t, nil)
	first := *n
	serves := func(when string, tftp, http int) {
		t.Helper()
		if got := page(t, http, "/a.0"); len(got) != 1100 {
			t.Errorf("%s: %d bytes over HTTP", when, len(got))
		}
		x := ask(t, tftp, "a.0")
		x.block(t)
		if not := n.notReady(); len(not) != 0 {
			t.Errorf("%s: not ready: %q", when, not)
		}
		if _, err := x.WriteToUDP([]byte("\x00\x05\x00\x00bye\x00"), x.from); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(why, text string) {
		t.Helper()
		err := n.Reload(t.Context())
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", why, err, text)
		}
		if st := n.Status(); st.Config.LastError == "" || code(st.Warnings, "reload-refused") == nil {
			t.Errorf("%s: status does not tell: %+v", why, st)
		}
		serves(why, first.tftp, first.http)
	}

	n.configure(t, func(s string) string { return s + "nonsense: 1\n" })
	refused("a broken file", "nonsense")

	n.configure(t, func(s string) string { return strings.Replace(s, "/boot\n", "/nothing\n", 1) })
	refused("a root that is not there", "nothing")

	n.status = freePort(t)
	n.configure(t, nil)
	refused("another status port", "restart")
	n.status = first.status

	n.tftp, n.http = freePort(t), freePort(t)
	somebody, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.http})
	if err != nil {
		t.Fatal(err)
	}
	n.configure(t, nil)
	refused("a port of somebody else's", "http: ")

	_ = somebody.Close()
	if err := n.Reload(t.Context()); err != nil {
		t.Fatalf("free ports: %v", err)
	}
	serves("on other ports", n.tftp, n.http)
	if st := n.Status(); st.Config.LastError != "" || len(st.Warnings) != 0 {
		t.Errorf("after a good reload status still says %+v", st)
	}
	until(t, "the former port is let go", func() bool { return page(t, first.http, "/a.0") == "" })

	n.configure(t, func(s string) string { return strings.Replace(s, "[tftp, http]", "[http]", 1) })
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := n.roleNames(); !slices.Equal(got, []string{"http"}) {
		t.Errorf("without tftp the roles are %q", got)
	}
	n.configure(t, nil)
	if err := n.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	ask(t, n.tftp, "a.0").block(t)
}

// code finds a warning.
func code(all []web.Warning, code string) *web.Warning {
	if i := slices.IndexFunc(all, func(w web.Warning) bool { return w.Code == code }); i >= 0 {
		return &all[i]
	}
	return nil
}
