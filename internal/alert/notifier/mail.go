package notifier

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"
)

// Mail sends e-mail by SMTP (RFC 5321).
type Mail struct {
	Server       string // host:port
	From         string
	To           []string
	User         string // "" for none
	PasswordFile string
	TLS          string // starttls (the default), tls, or none
}

// The words for how a connection is kept private.
const (
	StartTLS  = "starttls" // RFC 3207; refused if the server does not offer it
	TLSAtOnce = "tls"
	NoTLS     = "none" // a relay on this machine or network
)

// Name is the server's.
func (m Mail) Name() string { return "smtp " + m.Server }

// Tell sends one e-mail.
func (m Mail) Tell(ctx context.Context, msg Message) error {
	if err := m.send(ctx, msg); err != nil {
		return fmt.Errorf("e-mail by %s: %w", m.Server, err)
	}
	return nil
}

func (m Mail) send(ctx context.Context, msg Message) error {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return err
		}
	}
	private := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if m.TLS == TLSAtOnce {
		conn = tls.Client(conn, private)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	defer c.Close()
	if m.TLS == StartTLS || m.TLS == "" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the server does not offer STARTTLS; tls: none sends without it")
		}
		if err := c.StartTLS(private); err != nil {
			return err
		}
	}
	if m.User != "" {
		password, err := secret(m.PasswordFile)
		if err != nil {
			return err
		}
		// net/smtp refuses to send a password over a connection that is not private.
		if err := c.Auth(smtp.PlainAuth("", m.User, password, host)); err != nil {
			return err
		}
	}
	return m.hand(c, msg)
}

func (m Mail) hand(c *smtp.Client, msg Message) error {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return err
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	for _, to := range m.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return err
		}
		if err := c.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.letter(from, msg)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// letter is the message as RFC 5322 has it. Auto-Submitted (RFC 3834) keeps absence notes away.
func (m Mail) letter(from *mail.Address, msg Message) []byte {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(m.To, ", ")},
		{"Subject", mime.QEncoding.Encode("utf-8", msg.subject())},
		{"Date", msg.At.Format(time.RFC1123Z)},
		{"Message-ID", "<" + hex.EncodeToString(id) + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(h[1]) + "\r\n")
	}
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(strings.ReplaceAll(msg.text(), "\n", "\r\n"))) // into memory
	_ = q.Close()
	return b.Bytes()
}
