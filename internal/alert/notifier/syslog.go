package notifier

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"surefoot/internal/alert"
)

// Syslog sends RFC 5424 messages, one for each alert.
type Syslog struct {
	Network string // udp, tcp, unix (a datagram socket)
	Address string // host:port, or a path
}

// Name is where it goes.
func (s Syslog) Name() string { return "syslog " + s.Network + " " + s.Address }

// Tell sends the alerts.
func (s Syslog) Tell(ctx context.Context, m Message) error {
	network := s.Network
	if network == "unix" {
		network = "unixgram"
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, s.Address)
	if err != nil {
		return fmt.Errorf("syslog: %w", err)
	}
	defer c.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(end); err != nil {
			return err
		}
	}
	for _, n := range m.Notes {
		line := s.line(m, n)
		if network == "tcp" {
			line = fmt.Sprintf("%d %s", len(line), line) // RFC 6587 3.4.1: octet counting
		}
		if _, err := c.Write([]byte(line)); err != nil {
			return fmt.Errorf("syslog: %w", err)
		}
	}
	return nil
}

// facility daemon (RFC 5424 6.2.1).
const facility = 3

// maxLine is what every receiver of datagrams takes (RFC 5424 6.1: 2048 octets should be).
const maxLine = 2048

func (s Syslog) line(m Message, n alert.Note) string {
	severity := map[alert.Severity]int{alert.Critical: 2, alert.Warning: 4, alert.Info: 6}[n.Alert.Severity]
	if n.Alert.State == alert.Resolved {
		severity = 5 // notice
	}
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	// 32473 is the enterprise number for examples (RFC 5612): we have none.
	head := fmt.Sprintf("<%d>1 %s %s surefoot %d alert [surefoot@32473 code=%s state=%s node=%s site=%s key=%s] ", facility*8+severity,
		m.At.UTC().Format("2006-01-02T15:04:05.000Z"), host, os.Getpid(), param(string(n.Alert.Code)), param(string(n.Alert.State)), param(m.Node), param(m.Site), param(n.Alert.Key))
	text := fmt.Sprintf("%s: %s; %s; what to do: %s", word(n), n.Alert.Title, strings.Join(n.Alert.Evidence, "; "), n.Alert.Fix)
	line := head + "\ufeff" + strings.ReplaceAll(text, "\n", " ") // RFC 5424 6.4: UTF-8 begins with a BOM
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "")
	}
	return line
}

// param is a parameter's value (RFC 5424 6.3.3).
func param(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s) + `"`
}
