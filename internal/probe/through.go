package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surefoot/internal/boot"
	"surefoot/internal/wire/tftp"
)

// Through says how a download reaches one server that stands, with others, behind a service address
// with direct server return: the packets are for the service address and have that server's MAC, as
// the balancer sends them on. What a download from the server's own address cannot show is seen: that it does
// not take the service address, or answers from its own.
type Through struct {
	Interface string     // towards the servers; "": that of the route to Backend
	Backend   netip.Addr // the server's own address
}

// Side is what a download through the data plane saw of the server.
type Side struct {
	Interface string   `json:"interface"`
	Backend   string   `json:"backend"`
	MAC       string   `json:"mac,omitempty"`
	From      string   `json:"answers_from,omitempty"` // FromService or FromItself
	Holders   []string `json:"holders,omitempty"`      // the MACs that answer ARP for the service address, this machine's excepted
}

// Where a server's answers come from.
const (
	FromService = "the service address"
	FromItself  = "its own address"
)

// whoMinds says which clients need answers from the address that they asked (F25; tried with each).
const whoMinds = "UEFI firmware (EDK2), PXELINUX, and U-Boot where the server's port is bound, get nothing; iPXE, tftp-hpa, curl, atftp and busybox take the answer. " +
	"A stateful firewall before the clients drops it for all"

// through downloads by way of the data plane, and says what is wrong with the server.
func (d *download) through(ctx context.Context) *Fault {
	s, f := findSide(ctx, *d.opts.Through, d.server)
	d.res.Through = &s.Side
	if f != nil {
		return f
	}
	d.side = s
	d.habits = tolerant(d.habits)
	d.start = time.Now() // what was needed to find the server is none of its response time
	f = d.run(ctx)
	if from, err := netip.ParseAddrPort(d.res.DataFrom); err == nil {
		if s.From = FromService; from.Addr() != d.server.Addr() {
			s.From = FromItself
		}
	}
	switch {
	case ctx.Err() != nil:
		return f
	case f == nil && s.From == FromItself:
		f = d.ownAnswers(ctx)
	case f != nil && f.Code == NoAnswer:
		f = d.notTaken(ctx, f)
	case f != nil && f.Code == Refused && d.res.Blocks == 0:
		f.Text = fmt.Sprintf("%s takes packets for %s, and answers that nothing listens at UDP %d (ICMP)", s.Backend, d.server.Addr(), d.server.Port())
		f.Hint = []string{fmt.Sprintf("on %s: does the TFTP server run, and does it listen at all addresses, or at %s? ss -lnup 'sport = :%d'", s.Backend, d.server.Addr(), d.server.Port())}
	}
	return d.holders(ctx, f)
}

// tolerant takes what a client's habits are for the sake of seeing who answers. Windows are left out: a server
// may leave their cutting to the network card, and a raw socket may read them uncut.
func tolerant(h habits) habits {
	h.anyServer = true
	h.sizeProbe, h.options = slices.Clone(h.sizeProbe), slices.Clone(h.options)
	for _, list := range []*[]tftp.Option{&h.sizeProbe, &h.options} {
		*list = slices.DeleteFunc(*list, func(o tftp.Option) bool { return o.Name == "windowsize" })
	}
	return h
}

// ownAnswers is a server that answers from its own address: always, or only once after its start.
func (d *download) ownAnswers(ctx context.Context) *Fault {
	began := time.Now()
	from, trace := d.firstBlock(ctx, d.server)
	d.second("the same once more, to see where the second answer comes from", time.Since(began), trace)
	if from.Addr() == d.server.Addr() {
		d.side.From = FromService
		d.res.Notes = append(d.res.Notes, "the first answer came from the server's own address and the next from the service address, as of tftpd-hpa after its start")
		return nil
	}
	return &Fault{
		Step: StepTransfer, Code: WrongAddress,
		Text: fmt.Sprintf("the file came, but from %s and not from %s, which was asked", d.res.DataFrom, d.server.Addr()),
		Hint: []string{
			whoMinds,
			"let it answer from the address that was asked: Surefoot, tftpd-hpa, dnsmasq and atftpd do where they listen at all addresses; a server that is bound to its own address, or a Windows server without weakhostsend on the loopback adapter, does not",
		},
	}
}

// notTaken tells a server that does not take packets for the service address from one that is dead.
func (d *download) notTaken(ctx context.Context, f *Fault) *Fault {
	began := time.Now()
	own := netip.AddrPortFrom(d.side.backend, d.server.Port())
	from, trace := d.firstBlock(ctx, own)
	d.second(fmt.Sprintf("the same to %s, the server's own address", own.Addr()), time.Since(began), trace)
	if !from.IsValid() {
		f.Text += fmt.Sprintf("; nor to a request to %s, its own address; the host is up: it answers ARP, as %s", own.Addr(), d.side.MAC)
		f.Hint = []string{"certain: the host is up; a guess: the server does not run, hangs, or a firewall drops what is for it"}
		return f
	}
	return &Fault{
		Step: StepRequest, Code: NotTaken,
		Text: fmt.Sprintf("it delivers at its own address %s, and says nothing to packets for %s that come to its MAC %s", own.Addr(), d.server.Addr(), d.side.MAC),
		Hint: []string{
			fmt.Sprintf("the service address is missing on its loopback interface: ip address add %s/32 dev lo, with arp_ignore=1 and arp_announce=2 (surefoot lb backend-setup prints all of it, for Windows as well)", d.server.Addr()),
			"if it is there: a firewall on the server that lets in what is for its own address alone",
		},
	}
}

// firstBlock asks for the file once more, and returns where the first answer comes from.
func (d *download) firstBlock(ctx context.Context, at netip.AddrPort) (from netip.AddrPort, trace []Packet) {
	ctx, cancel := context.WithTimeout(ctx, min(d.opts.Timeout, proveTime))
	defer cancel()
	res := Result{Start: time.Now()}
	again := download{
		room: &Room{}, target: d.target, server: at, opts: d.opts, habits: tolerant(habitsOf(IPXE)), res: &res, content: newContent(Options{}),
		start: time.Now(), side: d.side,
	}
	again.trace = &again.room.trace
	again.opts.enough, again.opts.Progress = 1, nil
	_ = again.run(ctx)
	from, _ = netip.ParseAddrPort(res.DataFrom)
	return from, again.trace.packets()
}

// holders asks who has the service address, which is to be one alone. A server that answers takes the
// machines away from the balancer.
func (d *download) holders(ctx context.Context, f *Fault) *Fault {
	macs, err := d.side.whoHas(ctx, d.server.Addr(), arpMore)
	if err != nil {
		d.res.Notes = append(d.res.Notes, err.Error())
		return f
	}
	for _, m := range macs {
		d.side.Holders = append(d.side.Holders, m.String())
	}
	if !slices.Contains(macs, d.side.mac) {
		return f
	}
	said := fmt.Sprintf("it answers ARP for %s, as %s", d.server.Addr(), d.side.MAC)
	if f != nil {
		d.res.Notes = append(d.res.Notes, said+": arp_ignore=1 is missing on it")
		return f
	}
	if others := slices.DeleteFunc(slices.Clone(d.side.Holders), func(m string) bool { return m == d.side.MAC }); len(others) > 0 {
		said += ", besides " + strings.Join(others, ", ")
	}
	return &Fault{
		Step: StepRequest, Code: AnswersARP,
		Text: said + ": who hears it first, or last, sends everything to this one server, past the balancer",
		Hint: []string{
			"on the server: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, and the address on lo, not on a network card (surefoot lb backend-setup)",
			"afterwards, on the router: ip neighbour flush to the service address, or wait until its entry is renewed",
		},
	}
}

// Content compares what several servers behind one address deliver: the downloads of one file. The one that has another
// file than most gets the fault OtherContent; where there is no majority, all of them do.
func Content(all []Result) {
	count := map[string]int{}
	good, most := 0, ""
	for _, r := range all {
		if r.SHA256 != "" {
			good++
			if count[r.SHA256]++; count[r.SHA256] > count[most] {
				most = r.SHA256
			}
		}
	}
	if count[most] == good {
		return
	}
	decided := 2*count[most] > good
	for i := range all {
		r := &all[i]
		if r.SHA256 == "" || r.Fault != nil || decided && r.SHA256 == most {
			continue
		}
		text := fmt.Sprintf("%d bytes with the hash %.12s...; %d of %d servers deliver %.12s...", r.Size, r.SHA256, count[most], good, most)
		if !decided {
			text = fmt.Sprintf("%d bytes with the hash %.12s...; the servers do not agree, and none has most of them behind it", r.Size, r.SHA256)
		}
		r.Available, r.Availability = false, 0
		r.Fault = &Fault{
			Step: StepContent, Code: OtherContent, Text: text,
			Hint: []string{"a machine gets one file or the other, by chance; and no balancer can go on with a transfer on another server. surefoot file publish puts one on all nodes at once"},
		}
	}
}

// unreachable is the ICMP message of a raw socket, as an error.
type unreachable struct{ icmp }

func (u *unreachable) Error() string { return fmt.Sprintf("icmp code %d from %s", u.code, u.from) }

func localFault(err error) *Fault {
	f := &Fault{Step: StepRequest, Code: LocalError, Text: err.Error(), Err: err}
	var h interface{ Hint() []string }
	if errors.As(err, &h) {
		f.Hint = h.Hint()
	}
	return f
}

// side is how to reach the server.
type side struct {
	Side
	index   int
	own     boot.MAC
	from    netip.Addr // this machine's address on the segment
	backend netip.Addr
	mac     boot.MAC
}
