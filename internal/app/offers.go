package app

import (
	"surefoot/internal/config"
	"surefoot/internal/serve/tftp"
)

// offers are what the TFTP server grants, as the role has it.
func (s *setup) offers() (tftp.Offer, []tftp.NetworkOffer) {
	offer := func(o config.TFTPOffer) tftp.Offer {
		return tftp.Offer{Refuse: o.Refuse, BlockSize: o.MaxBlockSize, WindowSize: o.MaxWindowSize}
	}
	var networks []tftp.NetworkOffer
	for _, n := range s.NetworkOffers {
		networks = append(networks, tftp.NetworkOffer{Name: n.Network, Subnet: n.Subnet, Offer: offer(n.TFTPOffer)})
	}
	return offer(s.Offer), networks
}

// applyTFTP gives a running TFTP server what a reload changes without touching a socket.
func applyTFTP(s *tftp.Server, cfg *setup) {
	s.Apply(cfg.files, cfg.inbox)
	s.ApplyOffers(cfg.offers())
}
