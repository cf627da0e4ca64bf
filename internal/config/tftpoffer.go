package config

import (
	"net/netip"
	"slices"
	"strconv"

	"surefoot/internal/boot"
	"surefoot/internal/wire/tftp"
)

// TFTPOffer says which options the nodes' TFTP server grants, and how much.
type TFTPOffer struct {
	Refuse        []string // options left out as if they were unknown
	MaxBlockSize  int
	MaxWindowSize int
}

// NetworkOffer is the offer to the clients of a network.
type NetworkOffer struct {
	Network string
	Subnet  netip.Prefix // the zero value: every client
	TFTPOffer
}

// The values that stand in when the file names none.
const (
	DefaultMaxBlockSize  = tftp.MaxBlockSize
	DefaultMaxWindowSize = 64
)

func defaultOffer() TFTPOffer {
	return TFTPOffer{MaxBlockSize: DefaultMaxBlockSize, MaxWindowSize: DefaultMaxWindowSize}
}

// tftpOptions are those that a server may grant or not.
func tftpOptions() []string {
	return []string{tftp.OptBlockSize, tftp.OptTsize, tftp.OptTimeout, tftp.OptWindowSize}
}

// tftpOfferKeys are the keys of a tftp section that say what is granted.
func tftpOfferKeys() []Key {
	return []Key{
		{
			Name: "refuse_options", Form: FormWords, Scalar: scalarChoice, Choice: tftpOptions(), Default: "(none)", Example: "refuse_options: [windowsize]",
			Doc: "Options that are left out of the answer as if they were unknown, for boot ROMs that ask for what they cannot do. A client that is left without any option gets blocks of 512 bytes at once.",
		},
		{
			Name: "max_blksize", Scalar: scalarCount, Default: strconv.Itoa(DefaultMaxBlockSize), Example: "max_blksize: 1428",
			Doc: "The largest block that is granted, from 512 to 65464 bytes. 1468 fits an Ethernet packet, 1428 also one in a tunnel: some boot ROMs lose packets that travel in fragments.",
		},
		{
			Name: "max_windowsize", Scalar: scalarCount, Default: strconv.Itoa(DefaultMaxWindowSize), Example: "max_windowsize: 4",
			Doc: "The longest window that is granted, from 1 to 65535 blocks. Beyond 64 little is gained, and a burst overruns the buffers of switches and ROMs.",
		},
	}
}

// networkTFTPKey is the same for the clients of one network.
func networkTFTPKey() Key {
	k := Key{
		Name: "tftp", Form: FormObject, Default: "(as the section tftp says)", Example: "tftp: {max_blksize: 1428, refuse_options: [windowsize]}",
		Doc:  "Which TFTP options clients with an address of this network are granted, where that is not what the section tftp says.",
		Keys: tftpOfferKeys(),
	}
	for i := range k.Keys {
		k.Keys[i].Default = "(as in the section tftp)"
	}
	return k
}

// fileOffer is a tftp section's part about options, as written.
type fileOffer struct {
	written         bool
	refuse          []parsed[string]
	blksize, window *parsed[int]
}

func readOffer(o object) fileOffer {
	return fileOffer{
		written: true,
		refuse:  words(o, "refuse_options", parseChoice(tftpOptions()...)),
		blksize: one(o, "max_blksize", parseRange(512, tftp.MaxBlockSize, 1428)),
		window:  one(o, "max_windowsize", parseRange(1, tftp.MaxWindowSize, DefaultMaxWindowSize)),
	}
}

// over is what holds where the file says this on top of something else.
func (f fileOffer) over(o TFTPOffer) TFTPOffer {
	if len(f.refuse) > 0 {
		o.Refuse = plainList(f.refuse)
	}
	o.MaxBlockSize = f.blksize.or(o.MaxBlockSize)
	o.MaxWindowSize = f.window.or(o.MaxWindowSize)
	return o
}

// networkOffers are those of the networks, in the order in which clients are looked up; nil if none
// says anything of its own.
func (f *file) networkOffers(networks []boot.Network, general TFTPOffer) []NetworkOffer {
	if !slices.ContainsFunc(f.networks, func(n fileNetwork) bool { return n.offer.written }) {
		return nil
	}
	var out []NetworkOffer
	for _, n := range networks {
		if only6(n) {
			continue
		}
		for _, w := range f.networks {
			if w.name == n.Name {
				out = append(out, NetworkOffer{Network: n.Name, Subnet: n.Subnet, TFTPOffer: w.offer.over(general)})
			}
		}
	}
	return out
}

func (o TFTPOffer) same(as TFTPOffer) bool {
	return slices.Equal(o.Refuse, as.Refuse) && o.MaxBlockSize == as.MaxBlockSize && o.MaxWindowSize == as.MaxWindowSize
}

// yaml is the offer as keys of a tftp section.
func (o TFTPOffer) yaml() string {
	s := ""
	if len(o.Refuse) > 0 {
		s = "refuse_options: " + flow(o.Refuse) + ", "
	}
	return s + "max_blksize: " + strconv.Itoa(o.MaxBlockSize) + ", max_windowsize: " + strconv.Itoa(o.MaxWindowSize)
}
