package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	dnsrole "surefoot/internal/serve/dns"
	"surefoot/internal/web"
)

// resolve asks the node's DNS server for addresses.
func resolve(t *testing.T, port int, name string) string {
	t.Helper()
	c := dns.Client{Timeout: 5 * time.Second}
	r, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rr := range r.Answer {
		out = append(out, rr.(*dns.A).A.String())
	}
	return strings.Join(append(out, dns.RcodeToString[r.Rcode]), " ")
}

// The DNS server runs with the others, goes by the same health, follows a reload, and explains
// itself through the API.
func TestDNS(t *testing.T) {
	port := freePort(t)
	zone := func(names string) func(string) string {
		return func(s string) string {
			s = strings.Replace(s, "[tftp, http]", "[tftp, http, dns]", 1)
			s = strings.Replace(s, "boot:\n  - {name: rest, file: a.0}", "servers: {pvs1: {tftp: 10.10.0.21}}\nboot:\n  - {name: rest, file: a.0, from: [boot1, pvs1]}", 1)
			return s + fmt.Sprintf("dns: {zone: boot.example.net, rate_limit: 0, listen: \"127.0.0.1:%d\", names: {%s}}\n", port, names)
		}
	}
	n := start(t, zone("rest: {order: first}"))
	if got := resolve(t, port, "rest.boot.example.net."); got != "127.0.0.1 10.10.0.21 NOERROR" {
		t.Errorf("the rule's name: %s", got)
	}
	if err := os.Remove(filepath.Join(n.dir, "boot/a.0")); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(patience); resolve(t, port, "rest.boot.example.net.") != "10.10.0.21 NOERROR"; {
		if time.Now().After(late) {
			t.Fatalf("a node without the file is named: %s", resolve(t, port, "rest.boot.example.net."))
		}
	}
	var e dnsrole.Explanation
	api := web.Dial(n.setup().Socket)
	if err := api.DNS(t.Context(), "rest", "A", "192.0.2.1/32", &e); err != nil || len(e.Records) != 1 || !strings.Contains(fmt.Sprint(e.Choice.Trace), "does not hand out a.0") {
		t.Errorf("explained: %+v, %v", e, err)
	}
	var names []dnsrole.Name
	if err := api.DNS(t.Context(), "", "", "", &names); err != nil || len(names) != 1 || strings.Join(names[0].Living, " ") != "pvs1" {
		t.Errorf("listed: %+v, %v", names, err)
	}
	for _, bad := range [][]string{{"rest", "NOTYPE", "192.0.2.1/32"}, {"rest", "A", "nobody"}} {
		if err := api.DNS(t.Context(), bad[0], bad[1], bad[2], &e); err == nil {
			t.Errorf("%q was answered", bad)
		}
	}

	n.configure(t, zone("other: {file: a.0, from: pvs1}"))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, port, "other.boot.example.net."); got != "10.10.0.21 NOERROR" {
		t.Errorf("a new name after a reload: %s", got)
	}
	n.configure(t, nil) // without DNS
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := api.DNS(t.Context(), "", "", "", &names); err == nil || !strings.Contains(err.Error(), "role dns") {
		t.Errorf("without the role: %v", err)
	}
	st := n.Status()
	for _, r := range st.Roles {
		if r.Name == roleDNS && r.State != "" {
			t.Errorf("the role is still there: %+v", r)
		}
	}
}
