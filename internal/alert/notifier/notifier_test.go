package notifier

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"surefoot/internal/alert"
)

func begun() time.Time { return time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC) }

func message(states ...alert.State) Message {
	m := Message{Node: "boot1", Site: "hq", At: begun().Add(time.Minute)}
	for _, s := range states {
		a := alert.Alert{
			Key: "server-down file=a.0 server=pvs1", Code: alert.ServerDown, Severity: alert.Critical, State: s, Title: "pvs1 does not deliver “a.0”",
			Evidence: []string{"up → down", "cause: no-answer"}, Meaning: "it is left out", Fix: "look at it",
			Labels: map[string]string{"code": "server-down", "server": "pvs1", "file": "a.0"}, Since: begun(), FiredAt: begun().Add(10 * time.Second),
		}
		if s == alert.Resolved {
			a.EndedAt = begun().Add(30 * time.Second)
		}
		m.Notes = append(m.Notes, alert.Note{Alert: a})
	}
	return m
}

func TestWebhook(t *testing.T) {
	var got document
	var auth string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Content-Type") != "application/json" {
			http.Error(w, "no", http.StatusBadRequest)
		}
	}))
	defer srv.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := Webhook{URL: srv.URL + "/secret-path", TokenFile: token}
	if err := w.Tell(t.Context(), message(alert.Firing, alert.Resolved)); err != nil {
		t.Fatal(err)
	}
	if auth != "Bearer s3cret" || got.Version != 1 || got.Node != "boot1" || len(got.Alerts) != 2 || got.Alerts[0].Fix != "look at it" || len(got.Alerts[0].Evidence) != 2 || got.Alerts[1].State != alert.Resolved {
		t.Errorf("%q %+v", auth, got)
	}
	srv.Close()
	err := w.Tell(t.Context(), message(alert.Firing))
	if err == nil || strings.Contains(err.Error()+w.Name(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
	srv = httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	if err := (Webhook{URL: srv.URL}).Tell(t.Context(), message(alert.Firing)); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("not found: %v", err)
	}
}

// TestAlertmanager: the form of api/v2 (openapi.yaml of Alertmanager: postableAlerts).
func TestAlertmanager(t *testing.T) {
	var got []map[string]any
	var path string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		_ = json.NewDecoder(r.Body).Decode(&got)
	}))
	defer srv.Close()
	if err := (Alertmanager{URL: srv.URL + "/"}).Tell(t.Context(), message(alert.Firing, alert.Resolved)); err != nil {
		t.Fatal(err)
	}
	if path != "/api/v2/alerts" || len(got) != 2 {
		t.Fatalf("%s %v", path, got)
	}
	labels := got[0]["labels"].(map[string]any)
	if labels["alertname"] != "server-down" || labels["server"] != "pvs1" || labels["severity"] != "critical" || labels["code"] != nil {
		t.Errorf("labels %v", labels)
	}
	if got[0]["endsAt"] != "2026-11-25T08:06:00Z" || got[0]["startsAt"] != "2026-11-25T08:00:10Z" || got[1]["endsAt"] != "2026-11-25T08:00:30Z" {
		t.Errorf("times %v", got)
	}
	if a := got[0]["annotations"].(map[string]any); a["fix"] != "look at it" || a["description"] != "up → down\ncause: no-answer" {
		t.Errorf("annotations %v", a)
	}
}

func TestSyslog(t *testing.T) {
	form := regexp.MustCompile(`^<26>1 2026-11-25T08:01:00\.000Z \S+ surefoot \d+ alert \[surefoot@32473 code="server-down" state="firing" node="boot1" site="hq" key="server-down file=a\.0 server=pvs1"\] \x{feff}critical: pvs1 does not deliver “a\.0”; up → down; cause: no-answer; what to do: look at it$`)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	path := filepath.Join(t.TempDir(), "log")
	unix, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	for s, c := range map[Syslog]net.PacketConn{{"udp", udp.LocalAddr().String()}: udp, {"unix", path}: unix} {
		if err := s.Tell(t.Context(), message(alert.Firing)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil || !form.Match(b[:n]) {
			t.Errorf("%s: %q, %v", s.Name(), b[:n], err)
		}
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	all := make(chan string, 1)
	go func() {
		c, err := tcp.Accept()
		if err != nil {
			return
		}
		b, _ := io.ReadAll(c)
		all <- string(b)
	}()
	if err := (Syslog{"tcp", tcp.Addr().String()}).Tell(t.Context(), message(alert.Firing, alert.Firing)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(strings.NewReader(<-all))
	for range 2 {
		var n int
		if _, err := fmt.Fscanf(r, "%d ", &n); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil || !form.Match(b) {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestSyslogEscapes(t *testing.T) {
	m := message(alert.Firing)
	m.Site, m.Notes[0].Alert.Evidence = `a"]b\`, []string{strings.Repeat("ü", 3000) + "\nx"}
	line := Syslog{}.line(m, m.Notes[0])
	if !strings.Contains(line, `site="a\"\]b\\"`) || len(line) > maxLine || strings.Contains(line, "\n") {
		t.Errorf("%d bytes: %.300q", len(line), line)
	}
}

func TestProgram(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	if err := (Program{[]string{"/usr/bin/tee", out, "--", "/dev/null"}}).Tell(t.Context(), message(alert.Firing)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(b), `"code":"server-down"`) {
		t.Errorf("it got %q, %v", b, err)
	}
	err = Program{[]string{"/bin/sh", "-c", "echo it is broken >&2; exit 3"}}.Tell(t.Context(), message(alert.Firing))
	if err == nil || !strings.Contains(err.Error(), "exit status 3: it is broken") {
		t.Errorf("a failure: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := (Program{[]string{"/bin/sleep", "60"}}).Tell(ctx, message(alert.Firing)); err == nil {
		t.Error("one that hangs is waited for")
	}
}

// smtpd is a mail server of a few lines: it takes one letter, by STARTTLS with a login if it has a
// certificate.
func smtpd(t *testing.T, cert *tls.Certificate) (addr string, letter chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	letter = make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "220 test\r\n")
		r, said := bufio.NewReader(c), ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			said += line
			switch word := strings.ToUpper(strings.Fields(line + " x")[0]); {
			case word == "EHLO" && cert != nil:
				fmt.Fprint(c, "250-test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
			case word == "STARTTLS":
				fmt.Fprint(c, "220 go\r\n")
				c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}})
				r = bufio.NewReader(c)
			case word == "AUTH":
				fmt.Fprint(c, "235 ok\r\n")
			case word == "DATA":
				fmt.Fprint(c, "354 go\r\n")
				for line != ".\r\n" {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
					said += line
				}
				letter <- said
				fmt.Fprint(c, "250 ok\r\n")
			case word == "QUIT":
				fmt.Fprint(c, "221 bye\r\n")
				return
			default:
				fmt.Fprint(c, "250 ok\r\n")
			}
		}
	}()
	return l.Addr().String(), letter
}

func TestMail(t *testing.T) {
	addr, letter := smtpd(t, nil)
	m := Mail{Server: addr, From: "Surefoot <surefoot@example.net>", To: []string{"a@example.net", "b@example.net"}, TLS: NoTLS}
	if err := m.Tell(t.Context(), message(alert.Firing, alert.Resolved)); err != nil {
		t.Fatal(err)
	}
	said := <-letter
	head, body, _ := strings.Cut(said, "DATA\r\n")
	if !strings.Contains(head, "MAIL FROM:<surefoot@example.net>") || !strings.Contains(head, "RCPT TO:<a@example.net>") || !strings.Contains(head, "RCPT TO:<b@example.net>") {
		t.Errorf("envelope:\n%s", head)
	}
	msg, err := mail.ReadMessage(strings.NewReader(strings.TrimSuffix(body, ".\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil || subject != "[critical] pvs1 does not deliver “a.0” (and 1 more) - hq" {
		t.Errorf("subject %q, %v", subject, err)
	}
	if _, err := msg.Header.Date(); err != nil || msg.Header.Get("Message-ID") == "" || msg.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("header %v, %v", msg.Header, err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	for _, want := range []string{"critical: pvs1", "  up → down\r\n", "It means: it is left out.", "What to do: look at it", "over: pvs1", "over at 2026-11-25T08:00:30Z"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("the letter lacks %q (%v):\n%s", want, err, text)
		}
	}
}

// TestMailIsPrivate: without STARTTLS nothing is sent, and a certificate that nobody knows is none.
func TestMailIsPrivate(t *testing.T) {
	addr, _ := smtpd(t, nil)
	err := Mail{Server: addr, From: "a@b.c", To: []string{"a@b.c"}}.Tell(t.Context(), message(alert.Firing))
	if err == nil || !strings.Contains(err.Error(), "does not offer STARTTLS") {
		t.Errorf("without STARTTLS: %v", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ = smtpd(t, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	err = Mail{Server: addr, From: "a@b.c", To: []string{"a@b.c"}}.Tell(t.Context(), message(alert.Firing))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with a certificate of its own making: %v", err)
	}
}

// fake fails as often as it is told to.
type fake struct {
	mu    sync.Mutex
	fails int
	got   []Message
	at    []time.Time
}

func (f *fake) Name() string { return "fake" }

func (f *fake) Tell(_ context.Context, m Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = append(f.at, time.Now())
	if f.fails > 0 {
		f.fails--
		return errors.New("not now")
	}
	f.got = append(f.got, m)
	return nil
}

// TestQueue: retries that wait longer each time, a bound, and every loss counted; without real time.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{fails: 3}
		q := NewQueue(f, "boot1", "hq", slog.New(slog.DiscardHandler), time.Now)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { q.Run(ctx); close(ended) }()
		start := time.Now()
		q.Add(message(alert.Firing).Notes, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(f.got) != 1 || f.at[3].Sub(start) != 7*time.Second {
			t.Errorf("told %d times, tried at %v", len(f.got), f.at)
		}
		if st := q.Status(); st.Sent != 1 || st.Failed != 3 || st.Lost != 0 || st.Error != "" {
			t.Errorf("%+v", st)
		}
		f.fails = 1000
		for range 300 {
			q.Add(message(alert.Firing).Notes, nil)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		st := q.Status()
		if st.Sent != 1 || st.Lost != 300 || st.Waiting != 0 || st.Error != "not now" {
			t.Errorf("of 300 notes that cannot be told: %+v", st)
		}
		f.fails = 0
		q.Add(message(alert.Firing).Notes, nil)
		stop() // what waits is told before the end
		<-ended
		if n := len(f.got); n != 2 {
			t.Errorf("told %d times", n)
		}
	})
}

type again struct{ fake }

func (*again) Refresh() time.Duration { return time.Minute }

// TestRefresh: who wants to hear what is again and again does, but for what is silenced.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &again{}
		q := NewQueue(f, "boot1", "hq", slog.New(slog.DiscardHandler), time.Now)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { q.Run(ctx); close(ended) }()
		firing := message(alert.Firing).Notes[0].Alert
		quiet := firing
		quiet.Silence = "x"
		for range 179 {
			time.Sleep(time.Second)
			q.Add(nil, []alert.Alert{firing, quiet})
		}
		stop()
		<-ended
		if len(f.got) != 3 || len(f.got[0].Notes) != 1 {
			t.Errorf("in three minutes told %d times: %+v", len(f.got), f.got)
		}
	})
}
