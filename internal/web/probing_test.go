package web

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/wire/tftp"
)

var probeMetricNames = []string{
	MetricProbeSuccess, MetricProbeDuration, MetricProbeTimeout, MetricProbeDNS, MetricProbeResponse, MetricProbeFailure, MetricProbeBytes,
	MetricProbeRetransmits, MetricProbeFirstBlock, MetricProbeHTTPBytes, MetricProbeHTTPFirst, MetricProbeRecords, MetricProbeTTL,
}

// oneFile serves one small file by TFTP to every request, without options, or nothing at all.
func oneFile(t *testing.T, content string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if op, _ := tftp.PeekOp(buf[:n]); op == tftp.OpRRQ && content != "" {
				_, _ = c.WriteToUDPAddrPort(tftp.AppendData(nil, 1, []byte(content)), from)
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func value(t *testing.T, body, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestProbePath(t *testing.T) {
	n := start(t, Config{Status: loopback})
	good, silent, stranger := oneFile(t, "a bootstrap"), oneFile(t, ""), oneFile(t, "internal")
	files := httptest.NewServer(http.StripPrefix("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("by http")) })))
	t.Cleanup(files.Close)
	web := netip.MustParseAddrPort(strings.TrimPrefix(files.URL, "http://"))
	may := Probing{Servers: []boot.Server{{Name: "pvs1", TFTP: good}, {Name: "dead", TFTP: silent}, {Name: "boot1", HTTP: web}}}
	n.deps.Probing = func() Probing { return may }
	ask := func(query string, change ...func(*http.Request)) (int, string) {
		t.Helper()
		w := get(t, n.pages(), "GET", "/probe?"+query, change...)
		return w.Code, w.Body.String()
	}
	at := func(a netip.AddrPort) string { return url.QueryEscape("tftp://" + a.String() + "/f") }
	hurry := func(r *http.Request) { r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "2") }

	if code, body := ask("target=" + at(good)); code != 404 || !strings.Contains(body, "probe: true") {
		t.Errorf("while it is off: %d %s", code, body)
	}
	may.On = true
	for _, target := range []string{at(good), "pvs1:" + fmt.Sprint(good.Port()) + "/f"} {
		for _, module := range []string{"", "&module=tftp_edk2", "&module=tftp_pxelinux", "&module=tftp_ipxe", "&module=tftp_plain"} {
			code, body := ask("target=" + target + module)
			if code != 200 || value(t, body, "probe_success") != "1" || value(t, body, "probe_tftp_bytes") != "11" || value(t, body, "probe_tftp_first_block_seconds") == "" {
				t.Errorf("%s%s: %d\n%s", target, module, code, body)
			}
		}
	}
	code, body := ask("target=" + at(good) + "&contains=other")
	if code != 200 || value(t, body, "probe_success") != "0" || value(t, body, `probe_failure_info{cause="text-missing",step="content"}`) != "1" || strings.Contains(body, "\nprobe_response_seconds") {
		t.Errorf("wrong content: %d\n%s", code, body)
	}
	began := time.Now()
	code, body = ask("target="+at(silent), hurry)
	if code != 200 || value(t, body, `probe_failure_info{cause="no-answer",step="request"}`) != "1" || value(t, body, "probe_timeout_seconds") != "1.5" || time.Since(began) > 2*time.Second {
		t.Errorf("a silent server, after %v: %d\n%s", time.Since(began), code, body)
	}
	code, body = ask("module=http&target=boot1:" + fmt.Sprint(web.Port()) + "/x")
	if code != 200 || value(t, body, "probe_success") != "1" || value(t, body, "probe_http_bytes") != "7" {
		t.Errorf("http: %d\n%s", code, body)
	}

	for query, want := range map[string]int{
		"target=" + at(stranger):                              403, // the right host, another port
		"target=tftp://192.0.2.1/f":                           403,
		"target=tftp://unheard.example/f":                     403,
		"module=dns&target=192.0.2.1/boot.lab":                403,
		"module=dns&target=boot.lab":                          400,
		"module=http&target=" + at(good):                      400, // tftp:// with the module for HTTP
		"module=http&target=http://" + good.String() + "/x":   403,
		"module=telnet&target=" + at(good):                    400,
		"":                                                    400,
		"target=tftp://pvs1":                                  400,
		"target=file:///etc/passwd":                           400,
		"target=gopher://" + good.String() + "/x&module=http": 400,
	} {
		if code, body := ask(query); code != want {
			t.Errorf("%s: %d, want %d: %s", query, code, want, body)
		}
	}
	if code, _ := ask("target="+at(good), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); code != 403 {
		t.Errorf("a page of another site: %d", code)
	}
	for header, want := range map[string]int{"x": 400, "-1": 400, "NaN": 400, "0": 400, "Inf": 200, "0.5": 200} {
		if code, _ := ask("target="+at(good), func(r *http.Request) { r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header) }); code != want {
			t.Errorf("time-out %q: %d, want %d", header, code, want)
		}
	}
	may.Any = true
	if code, body := ask("target=" + at(stranger)); code != 200 || value(t, body, "probe_success") != "1" {
		t.Errorf("any: %d\n%s", code, body)
	}
	for range maxProbes {
		n.probing <- struct{}{}
	}
	if code, _ := ask("target=" + at(good)); code != 503 {
		t.Errorf("one too many: %d", code)
	}
	if w := get(t, n.pages(), "GET", "/metrics"); strings.Contains(w.Body.String(), "probe_success") {
		t.Error("a probe's metrics are among the node's own")
	}
}

// The names of the metrics stand in docs/metrics.md, and none that does not exist.
func TestProbeMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range probeMetricNames {
		if !regexp.MustCompile("`" + name + "[`{]").Match(doc) {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`\bprobe_[a-z_]+`).FindAllString(string(doc), -1) {
		if !slices.Contains(probeMetricNames, m) {
			t.Errorf("docs/metrics.md explains %s, which does not exist", m)
		}
	}
}
